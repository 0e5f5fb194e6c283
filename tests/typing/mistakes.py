"""Mistakes that mypy tells; each line names the error, and mypy tells of a name that is not needed. Never run."""

from __future__ import annotations

from django_grip import Event, publish, send_to, set_hold_stream, websocket_only
from django_grip.request import GripHttpRequest
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView


class Socket(WebSocketView):
    channels = 5  # type: ignore[assignment]
    keep_alive = "30"  # type: ignore[assignment]
    encoding = None  # type: ignore[assignment]

    def on_open(self) -> None:
        self.sned("x")  # type: ignore[attr-defined]
        self.send()  # type: ignore[call-arg]
        self.close("4000")  # type: ignore[arg-type]
        self.reject("403")  # type: ignore[arg-type]
        self.state.nick = "x"  # type: ignore[attr-defined]
        print(self.request.grip.proxy)  # type: ignore[attr-defined]
        self.publish("x", "room")  # type: ignore[call-arg]

    def on_close(self) -> None:  # type: ignore[override]
        pass

    def on_message(self) -> None:  # type: ignore[override]
        pass

    def get_channels(self) -> list[int]:  # type: ignore[override]
        return [5]


class Stream(StreamView):
    def on_message(self, message: int) -> None:  # type: ignore[override]
        pass


class Events(EventStreamView):
    def get_events_since(self) -> None:  # type: ignore[override]
        pass


class Poll(LongPollView):
    timeout = None  # type: ignore[assignment]


def mistakes(request: GripHttpRequest) -> None:
    Socket.broadcast()  # type: ignore[call-arg]
    Poll.changed("doc:7")  # type: ignore[call-arg]
    send_to(5, "x")  # type: ignore[arg-type]
    publish("x")  # type: ignore[call-arg]
    publish("x", "text")  # type: ignore[arg-type]
    Event()  # type: ignore[call-arg]
    set_hold_stream("channel", request)  # type: ignore[arg-type]
    request.wscontext.accept()  # type: ignore[union-attr]


@websocket_only  # type: ignore[arg-type]
def a_text(request: GripHttpRequest) -> str:
    return "text"
