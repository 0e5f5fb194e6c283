"""The assistant: a thread that sends its answer, word by word, to the one connection that asked.

It knows little, and asks no service. What matters is the way the words take: `send_to` from any thread, task or process
that has the connection's address, which is a str. In a project of yours it would be a Celery task and a language model.
"""

from __future__ import annotations

import random
import threading

from django.conf import settings
from django.db import connection as database
from django.utils.crypto import get_random_string

from django_grip import send_to

from .models import Note, Visitor

# At most so many answers at once, whoever asks.
_seats = threading.BoundedSemaphore(20)


def start(connection: str, key: int, question: str) -> None:
    """Begin to answer. The client made up `key`, which tells it what question the words belong to."""
    if not _seats.acquire(blocking=False):
        send_to(connection, {"word": "Too many are asking me. Try again in a moment.", "key": key})
        send_to(connection, {"done": True, "key": key})
        return
    threading.Thread(target=_speak, args=(connection, key, question), daemon=True).start()


def _speak(connection: str, key: int, question: str) -> None:
    pause = threading.Event()
    try:
        for word in find_answer(question).split():
            send_to(connection, {"word": word, "key": key})
            pause.wait(settings.ASSISTANT_PAUSE)
    finally:
        send_to(connection, {"done": True, "key": key})
        # Django closes its connections to the database when a request ends. This thread is none.
        database.close()
        _seats.release()


def find_answer(question: str) -> str:
    words = set(question.lower().replace("?", " ").split())
    for keywords, answer in ANSWERS:
        if words & keywords:
            return answer()
    return (
        f"You asked: “{question}”. I am a thread in a Django process and know only this page. Ask me what is on the "
        "board, who is here, how this works, what a proxy does, or ask me for a note."
    )


def describe_board() -> str:
    texts = [note.text for note in Note.objects.filter(gone=False) if note.text]
    if not texts:
        return "There is no note with a word on it. Write one, and every window sees it as you type."
    return f"There are {len(texts)} notes with something on them. The last that changed says: “{texts[-1]}”"


def describe_people() -> str:
    names = list(Visitor.objects.order_by("name").values_list("name", flat=True))
    if len(names) < 2:
        return "Only you. Open this page in a second window: you will be two, and see each other's pointers."
    return f"{len(names)} windows are open here: {', '.join(names)}. Each has one WebSocket for the room."


def explain_page() -> str:
    return (
        "Four connections are open from this window. The board's changes come as Server-Sent Events. The chat is a "
        "WebSocket. The document waits with a long-poll, and I am a WebSocket, too. Django holds none of them: the "
        "request that carried your question was over before I said a word. Look at the wire to see each of them."
    )


def explain_proxy() -> str:
    return (
        "A GRIP proxy holds your connection. It turns each message of yours into a short request, which an ordinary "
        "Django view answers, and hands on to you what Django publishes. On your own machine it is part of runserver; "
        "in production it is Pushpin or Fastly Fanout, and the views stay the same."
    )


def put_a_note() -> str:
    # As any part of a project may: everybody's board shows it.
    from .views import Board

    if Note.objects.filter(gone=False).count() > 40:
        return "The board is rather full. Take some notes away, and I gladly put one up."
    text = random.choice(THOUGHTS)  # noqa: S311 - no secret
    place = {axis: round(random.uniform(0.1, 0.9), 4) for axis in ("x", "y")}  # noqa: S311 - no secret
    name = get_random_string(10, "abcdefghijklmnopqrstuvwxyz0123456789")
    note = Note.change({"id": name, "text": text, "color": "leaf", "by": "Assistant", **place})
    Board.broadcast(note.as_event())
    return "There it is, the green one. I said Board.broadcast(…) in my thread, and every window drew it."


THOUGHTS = [
    "Hold the line, not the thread.",
    "A short request is a happy request.",
    "No worker waits for you.",
    "What is published is seen.",
    "Breathe in, breathe out, reconnect.",
    "Restart me. I dare you.",
]

ANSWERS = [
    ({"note", "haiku", "write", "poem"}, put_a_note),
    ({"who", "people", "here", "anybody"}, describe_people),
    ({"board", "notes"}, describe_board),
    ({"proxy", "grip", "pushpin", "fanout", "connection", "holds"}, explain_proxy),
    ({"how", "works", "work", "page", "this", "transport", "transports", "help"}, explain_page),
]
