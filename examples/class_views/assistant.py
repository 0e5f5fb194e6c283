"""Answers that take their time: a thread sends them word by word to the one connection that asked.

A project of yours would hand ``self.connection``, which is a str, to a Celery task in the same way. Whether an answer
was stopped is asked of the cache, as the request that stops it may be served by another process.
"""

from __future__ import annotations

import threading
import uuid

from django.core.cache import cache

from django_grip import send_to

PAUSE = 0.12  # seconds between words, as a language model would need
ANSWER = (
    "You asked: “{question}”. I am a thread in a Django process, and I know only this: the request that carried your "
    "question was over long ago. No worker waits for me. Each of these words is published to a channel that only your "
    "connection listens to, and the proxy hands it on."
)


def start(connection: str, question: str) -> None:
    """Begin an answer; one that is still under way ends."""
    answer = uuid.uuid4().hex
    cache.set("answer:" + connection, answer, 600)
    thread = threading.Thread(target=_speak, args=(connection, answer, question), daemon=True)
    thread.start()


def stop(connection: str) -> None:
    """End the answer that is under way."""
    cache.delete("answer:" + connection)


def _speak(connection: str, answer: str, question: str) -> None:
    pause = threading.Event()
    for word in ANSWER.format(question=question).split():
        if cache.get("answer:" + connection) != answer:
            send_to(connection, {"done": True, "stopped": True})
            return
        send_to(connection, {"word": word})
        pause.wait(PAUSE)
    send_to(connection, {"done": True, "stopped": False})
