"""WebSocketView: hooks, messages, state, closes."""

from __future__ import annotations

import pytest

from django_grip.views import WebSocketView

from ..proxy import close, events_of, sent, text


class Echo(WebSocketView):
    channels = ["room:{room}"]

    def on_message(self, message):
        self.send(message)


class AsyncEcho(WebSocketView):
    channels = ["room:{room}"]

    async def on_message(self, message):
        self.send(message)


@pytest.mark.parametrize("view", [Echo, AsyncEcho])
def test_a_view_of_either_kind_echoes_on_either_stack(routes, connect, view):
    routes.add("ws/<room>/", view)
    ws = connect("/ws/lobby/")
    opened = ws.open()
    assert opened.status_code == 200
    assert events_of(opened)[0] == ("OPEN", None)
    assert sent(events_of(ws.send(text("a"), text("b")))) == [b"a", b"b"]
    assert sent(events_of(ws.send(text("c")))) == [b"c"]
    assert events_of(ws.send(close(1001, "away"))) == [("CLOSE", b"\x03\xe9")]
