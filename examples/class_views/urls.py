"""A chat room, a ticker, a log, a shared document and an assistant: five views, subclassed where they are routed."""

from __future__ import annotations

import assistant
import store
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import ensure_csrf_cookie

from django_grip import Event
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView


class Room(WebSocketView):
    """A chat room. What a client is called lives in its connection's state."""

    channels = ["room:{room}"]
    encoding = "json"

    def on_open(self):
        nick = self.request.GET.get("nick", "").strip()[:20]
        if not nick:
            return self.reject(400, "Say who you are: ?nick=…")
        self.state["nick"] = nick
        news = {"text": f"{nick} has joined", "people": self.enter()}
        # Who is just connecting may be subscribed too late for it, or just in time.
        self.publish(news, exclude_self=True)
        self.send(news)

    def on_message(self, message):
        text, nick = read(message, "text", 500), read(message, "nick", 20)
        if text:
            self.publish({"nick": self.state["nick"], "text": text})
        elif nick:
            old, self.state["nick"] = self.state["nick"], nick
            self.publish({"text": f"{old} is now called {nick}", "people": self.enter()})

    def on_refresh(self):
        self.enter()

    def on_close(self, code, reason):
        people = store.leave(self.kwargs["room"], self.connection)
        self.publish({"text": f"{self.state['nick']} has left", "people": people})

    def enter(self):
        return store.enter(self.kwargs["room"], self.connection, self.state["nick"])


class Ticker(EventStreamView):
    """A price that ``manage.py tick`` changes every second."""

    channels = ["ticker"]
    keep_alive = 20

    def on_open(self):
        return [price_event(number, price) for number, price in store.prices()]

    def get_events_since(self, last_id):
        kept = store.prices()
        # Too far back, and nobody can tell: None lets the client begin anew.
        if not last_id.isdigit() or not kept or int(last_id) + 1 < kept[0][0]:
            return None
        return [price_event(number, price) for number, price in kept if number > int(last_id)]


def price_event(number, price):
    return Event({"price": price}, event="price", id=str(number))


class Log(StreamView):
    """A text that everybody adds lines to: a GET reads on, a POST adds a line."""

    channels = ["log"]
    keep_alive = 20

    def on_open(self):
        return store.lines()

    def on_message(self, message):
        line = " ".join(message.split())[:200] + "\n"
        store.add_line(line)
        self.publish(line)


class Document(LongPollView):
    """A text that everybody edits, the last one winning. Who has the present version waits for the next one."""

    channels = ["document:{name}"]
    timeout = 25

    def get_etag(self):
        return store.read_document(self.kwargs["name"])["version"]

    def get_payload(self):
        return store.read_document(self.kwargs["name"])


def save_document(request: HttpRequest, name: str) -> HttpResponse:
    store.write_document(name, request.POST["text"][:10_000])
    Document.changed(name=name)
    return HttpResponse(status=204)


class Assistant(WebSocketView):
    """Streams an answer, word by word, from a thread that outlives the request. ``{"stop": true}`` ends it."""

    encoding = "json"

    def on_message(self, message):
        question = read(message, "ask", 200)
        if question:
            assistant.start(self.connection, question)
        else:
            assistant.stop(self.connection)

    def on_close(self, code, reason):
        assistant.stop(self.connection)


def read(message, name, length):
    """A text in a client's message, or "": a client may send whatever JSON holds."""
    text = message.get(name) if isinstance(message, dict) else None
    return text.strip()[:length] if isinstance(text, str) else ""


@ensure_csrf_cookie
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "index.html")


urlpatterns = [
    path("", index),
    path("rooms/<room>/", Room.as_view()),
    path("ticker/", Ticker.as_view()),
    path("log/", Log.as_view()),
    path("documents/<name>/", Document.as_view()),
    path("documents/<name>/save/", save_document),
    path("assistant/", Assistant.as_view()),
]
