"""WebSocketView: hooks that raise, and what they may not return."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse

from django_grip.views import WebSocketView

from ..fake_proxy import close, events_of, sent, text
from .conftest import ending
from .test_websocket_messages import closing


class Breaks(WebSocketView):
    """Does what the message says."""

    def on_message(self, message):
        self.send(f"before {message}")
        if message == "403":
            raise PermissionDenied("not you")
        if message == "404":
            raise Http404("nothing here")
        if message == "400":
            raise SuspiciousOperation
        if message == "500":
            raise RuntimeError("a bug")
        if message == "stop":
            raise StopIteration


@pytest.fixture
def opened(routes, http):
    def make(view=Breaks):
        routes.add("ws/", view)
        return http.websocket("/ws/").__enter__()

    return make


@pytest.fixture
def wire(routes, connect):
    """Open a WebSocket, and see what goes over the wire."""

    def make(view=Breaks):
        routes.add("ws/", view)
        ws = connect("/ws/")
        assert ws.open().status_code == 200
        return ws

    return make


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("403", 4403, "not permitted"),
        ("404", 4404, "not found"),
        ("400", 1011, "server error"),
        ("500", 1011, "server error"),
        ("stop", 1011, "server error"),
    ],
)
def test_an_exception_closes_the_connection_behind_what_was_sent(wire, message, code, reason):
    ws = wire()
    response = ws.send(text("fine"), text(message), text("never seen"))
    assert sent(events_of(response)) == [b"before fine", f"before {message}".encode()]
    assert closing(response) == (code, reason)


def test_a_bug_is_logged_with_its_traceback(opened, caplog):
    opened().send("500")
    records = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in records] == ["a bug"]


def test_what_comes_behind_a_failure_finds_the_connection_closed(wire):
    ws = wire()
    ws.send(text("500"))
    assert events_of(ws.send(text("crossed the close"))) == []
    assert events_of(ws.send(close(1011))) == [("CLOSE", b"\x03\xf3")]


def test_on_close_is_called_after_a_failure(opened):
    class View(Breaks):
        def on_close(self, code, reason):
            log.append(code)

    log = []
    ws = opened(View)
    ws.send("500")
    assert ending(ws) == (1011, "server error")
    assert log == [1011]


def test_a_failure_in_on_refresh_closes(opened, http):
    class View(WebSocketView):
        def on_refresh(self):
            raise PermissionDenied

    ws = opened(View)
    http.advance(60)
    assert ending(ws) == (4403, "not permitted")


def test_a_failure_in_on_close_is_an_error_like_any_other(wire, caplog):
    class View(WebSocketView):
        def on_close(self, code, reason):
            raise RuntimeError("in on_close")

    assert closing(wire(View).send(close(1000))) == (1011, "server error")
    assert "in on_close" in caplog.text


# -- on_error ----------------------------------------------------------------------------------------------------------


def test_on_error_may_go_on(opened):
    class View(Breaks):
        def on_error(self, error):
            self.send(f"oops: {error}")

    ws = opened(View)
    ws.send("500", "next")
    assert ws.receive_all() == ["before 500", "oops: a bug", "before next"]
    assert not ws.closed


def test_on_error_may_close(opened):
    class View(Breaks):
        def on_error(self, error):
            self.close(4000, type(error).__name__)

    ws = opened(View)
    ws.send("500", "next")
    assert ws.receive_all() == ["before 500"]
    assert ending(ws) == (4000, "RuntimeError")


def test_on_error_may_raise_something_else(opened):
    class View(Breaks):
        def on_error(self, error):
            raise Http404 from error

    ws = opened(View)
    ws.send("500")
    assert ending(ws) == (4404, "not found")


@pytest.mark.parametrize("is_async", [True, False])
def test_on_error_may_be_of_another_kind_than_the_hooks(opened, is_async):
    def act(self, error):
        self.send(f"oops: {error}")

    async def aact(self, error):
        act(self, error)

    view = type("View", (Breaks,), {"on_error": aact if is_async else act, "__module__": __name__})
    ws = opened(view)
    ws.send("500")
    assert ws.receive_all() == ["before 500", "oops: a bug"]


def test_on_error_hears_of_every_hook(opened, http):
    class View(WebSocketView):
        def on_open(self):
            self.state["hooks"] = []

        def on_message(self, message):
            raise RuntimeError("on_message")

        def on_refresh(self):
            raise RuntimeError("on_refresh")

        def on_close(self, code, reason):
            raise RuntimeError("on_close")

        def on_error(self, error):
            log.append(str(error))

    log = []
    ws = opened(View)
    ws.send("x", "y")
    http.advance(60)
    ws.close()
    assert log == ["on_message", "on_message", "on_refresh", "on_close"]


class FailsToOpen(WebSocketView):
    def on_open(self):
        self.send("half an opening")
        raise PermissionDenied("not you")


def test_an_opening_that_fails_is_refused_even_if_on_error_returns(routes, http):
    """Whoever writes an on_error to log things must not let everybody in by it."""

    class View(FailsToOpen):
        def on_error(self, error):
            log.append(error)

    log = []
    routes.add("ws/", View)
    assert http.websocket("/ws/").status_code == 403
    assert [str(error) for error in log] == ["not you"]


@pytest.mark.parametrize("how", ["return", "call"])
def test_on_error_may_choose_another_refusal(routes, http, how):
    class View(FailsToOpen):
        def on_error(self, error):
            refusal = self.reject(404, "who knows")
            return refusal if how == "return" else None

    routes.add("ws/", View)
    response = http.websocket("/ws/").response
    assert (response.status_code, response.content) == (404, b"who knows")


def test_on_error_may_accept_a_failed_opening_to_close_it_with_a_code(routes, connect):
    class View(FailsToOpen):
        def on_error(self, error):
            self.close(4403, str(error))

    routes.add("ws/", View)
    response = connect("/ws/").open(text("pushed in"))
    assert events_of(response)[0] == ("OPEN", None)
    assert closing(response) == (4403, "not you")


# -- what hooks return -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "value", "complaint"),
    [
        ("on_open", "hello", "View.on_open returned str: on_open may return a response, the others return nothing."),
        ("on_open", False, "View.on_open returned bool"),
        ("on_open", 403, "View.on_open returned int"),
        ("on_message", "echo", "View.on_message returned str"),
        ("on_message", HttpResponse(), "View.on_message returned HttpResponse"),
        ("on_message", [], "View.on_message returned list"),
    ],
)
def test_what_a_hook_may_not_return_is_an_error(routes, http, caplog, hook, value, complaint):
    view = type("View", (WebSocketView,), {hook: lambda self, *arguments: value, "__module__": __name__})
    getattr(view, hook).__name__ = hook
    routes.add("ws/", view)
    ws = http.websocket("/ws/")
    if hook == "on_open":
        assert ws.status_code == 500
    else:
        ws.send("x")
        assert ending(ws) == (1011, "server error")
    assert complaint in caplog.text
    assert "To answer the client, call self.send()." in caplog.text


def test_a_message_behind_the_opening_may_not_be_answered_with_a_response_either(routes, connect):
    class View(WebSocketView):
        def on_message(self, message):
            return HttpResponse("ignored?", status=403)

    routes.add("ws/", View)
    response = connect("/ws/").open(text("x"))
    # Accepted, then closed as for any other bug.
    assert response.status_code == 500 or closing(response) == (1011, "server error")


def test_a_generator_is_no_hook(opened, caplog):
    class View(WebSocketView):
        def on_message(self, message):
            yield "never run"

    ws = opened(View)
    ws.send("x")
    assert ending(ws) == (1011, "server error")
    assert "View.on_message returned generator" in caplog.text


def test_a_stopiteration_hangs_no_request(routes, http):
    """asyncio cannot carry one from a thread, and would wait for ever."""

    class View(WebSocketView):
        def get_channels(self):
            return next(iter([]))

        def on_open(self):
            pass

    routes.add("ws/", View)
    assert http.websocket("/ws/").status_code == 500
