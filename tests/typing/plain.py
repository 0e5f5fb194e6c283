"""DESIGN.md, 1, as it is printed, without annotations; mypy follows the names in hooks all the same. Never run."""

from django.http import HttpResponse
from django.urls import path

from django_grip import Event, HttpStreamFormat, apublish, publish, send_to, set_hold_stream, websocket_only
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView


class RoomSocket(WebSocketView):
    channels = ["room:{room}"]
    encoding = "json"
    subprotocols = ["chat.v1"]

    def on_open(self):
        self.state["nick"] = self.request.user.get_username()

    def on_message(self, message):
        self.publish({"nick": self.state["nick"], "text": message["text"]})

    def on_close(self, code, reason): ...


RoomSocket.broadcast({"text": "maintenance at noon"}, room="lobby")


class Assistant(WebSocketView):
    def on_message(self, message):
        send_to(self.connection, message)


class Ticker(EventStreamView):
    channels = ["ticker"]
    keep_alive = 20

    def on_open(self):
        return [Event({"price": 100})]


Ticker.broadcast(Event({"price": 101}))


class Log(StreamView):
    channels = ["log"]

    def on_open(self):
        return "[stream open]\n"

    def on_message(self, message):
        self.publish(message + "\n")


class DocPoll(LongPollView):
    channels = ["doc:{pk}"]
    timeout = 25

    def get_etag(self):
        return self.kwargs["pk"]

    def get_payload(self):
        return {"pk": self.kwargs["pk"]}


DocPoll.changed(pk=7)


def feed(request):
    response = HttpResponse("[stream open]\n")
    set_hold_stream(response, "test")
    return response


@websocket_only
def echo(request):
    session = request.wscontext
    session.send(session.recv())


urlpatterns = [path("rooms/<room>/", RoomSocket.as_view()), path("feed/", feed), path("echo/", echo)]

publish("test", HttpStreamFormat("hello\n"))
publish("room:1", Event({"text": "hi"}))


async def later():
    await apublish("room:1", Event({"text": "hi"}))
