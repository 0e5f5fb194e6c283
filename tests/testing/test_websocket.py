"""WebSockets of the test kit, on the sync stack."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from django_grip import WebSocketMessageFormat, close_to, publish, send_to
from django_grip.testing import GripClient, NothingReceived, NotOpened, SomethingReceived
from django_grip.views import WebSocketView


class Echo(WebSocketView):
    channels = ["all"]

    def on_message(self, message):
        self.send(message)


class Told(WebSocketView):
    """Notes what its hooks were called with."""

    channels = ["told"]
    log: list

    def on_open(self):
        type(self).log = []

    def on_message(self, message):
        self.log.append(message)
        if message == "close":
            self.send("bye")
            self.close(4000, "enough")
        if message == "fail":
            raise RuntimeError("broken")

    def on_close(self, code, reason):
        self.log.append((code, reason))

    def on_refresh(self):
        self.log.append("refresh")
        self.send("refreshed")


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["", "hello", "ünï ☃ 😀", "m:", "c:{}"])
def test_a_text_goes_to_the_view_and_back(route, grip_client, message):
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        ws.send(message)
        assert ws.receive() == message


def test_bytes_go_to_the_view_and_back(route, grip_client):
    class View(Echo):
        encoding = "bytes"

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send(b"\xff\x00")
        assert ws.receive() == b"\xff\x00"


def test_json_goes_to_the_view_and_back(route, grip_client):
    class View(Echo):
        encoding = "json"

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send_json({"a": [1, None, "ü"]})
        assert ws.receive_json() == {"a": [1, None, "ü"]}


def test_what_is_no_json_fails_the_test_and_is_shown(route, grip_client):
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        ws.send("hello")
        with pytest.raises(AssertionError, match="The message is not JSON: 'hello'"):
            ws.receive_json()


@pytest.mark.parametrize("message", [1, None, {"a": 1}, ["x"]])
def test_only_text_and_bytes_are_messages(route, grip_client, message):
    route("ws/", Echo)
    with (
        grip_client.websocket("/ws/") as ws,
        pytest.raises(TypeError, match=r"A message is str or bytes, not \w+; there is send_json\(\)\."),
    ):
        ws.send(message)


def test_a_burst_comes_in_as_few_requests_as_with_a_proxy(route, grip_client):
    requests = []

    class View(Echo):
        def dispatch(self, request, *args, **kwargs):
            requests.append([event.type for event in request.wscontext.in_events])
            return super().dispatch(request, *args, **kwargs)

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send("a", "b", "c")
        assert ws.receive_all() == ["a", "b", "c"]
    # While the first is being answered, the others come.
    assert requests == [["OPEN"], ["TEXT"], ["TEXT", "TEXT"], ["CLOSE"]]


def test_what_on_open_sends_is_there_at_once(route, grip_client):
    class View(WebSocketView):
        def on_open(self):
            self.send("welcome")
            self.send("again")

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        assert ws.receive_all() == ["welcome", "again"]
        assert ws.receive_all() == []


def test_receiving_nothing_is_sure_of_it(route, grip_client):
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        ws.receive_nothing()
        ws.send("a", "b")
        with pytest.raises(SomethingReceived, match="The WebSocket /ws/ has received 2: 'a', 'b'"):
            ws.receive_nothing()


def test_receive_fails_at_once_and_says_what_happened(route, grip_client):
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        publish("elsewhere", WebSocketMessageFormat("x"))
        with pytest.raises(NothingReceived) as caught:
            ws.receive()
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value).splitlines() == [
        "The WebSocket /ws/ is open, but no message is there.",
        "  - the view was asked (OPEN) and answered 200",
        "  - it is subscribed to 'all'",
        "  - published since it began: 'elsewhere'",
        "  - due next: in 60 s of the proxy's clock",
    ]


def test_receive_says_how_the_connection_was_closed(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        ws.send("close")
        assert ws.receive() == "bye"
        with pytest.raises(NothingReceived) as caught:
            ws.receive()
    assert str(caught.value).splitlines() == [
        "The WebSocket /ws/ is closed (4000 'enough').",
        "  - the view was asked (OPEN) and answered 200",
        "  - the view was asked (TEXT) and answered 200",
        "  - it was closed by the server, with 4000 'enough'",
        "  - the view was asked (CLOSE) and answered 200",
        "  - it is subscribed to no channel",
        "  - published since it began: nothing",
    ]


# -- opening -----------------------------------------------------------------------------------------------------------


def test_an_accepted_handshake_is_a_101_with_the_headers_and_cookies_of_the_view(route, grip_client):
    class View(WebSocketView):
        subprotocols = ["v2", "v1"]

        def on_open(self):
            self.response["X-Room"] = "lobby"
            self.response.set_cookie("seen", "a b", path="/x", httponly=True)

    route("ws/", View)
    with grip_client.websocket("/ws/", subprotocols=["v1"]) as ws:
        assert (ws.accepted, ws.status_code, ws.subprotocol) == (True, 101, "v1")
        assert ws.response["X-Room"] == "lobby"
        assert ws.response["Sec-WebSocket-Protocol"] == "v1"
        assert not [name for name in ws.response.headers if name.startswith(("Grip-", "Set-Meta-", "Keep-Alive"))]
        assert ws.response.cookies["seen"].value == "a b"
        assert ws.response.cookies["seen"]["path"] == "/x"
    assert grip_client.cookies["seen"].value == "a b"


def test_a_refusal_has_status_headers_and_body(route, grip_client):
    class View(WebSocketView):
        def on_open(self):
            return self.reject(418, "no coffee", headers={"X-Pot": "tea"})

    route("ws/", View)
    ws = grip_client.websocket("/ws/")
    assert (ws.accepted, ws.status_code, ws.response.content) == (False, 418, b"no coffee")
    assert ws.response["X-Pot"] == "tea"
    assert ws.channels == set()
    assert (ws.closed, ws.close_code) == (False, None)
    said = "The WebSocket /ws/ was refused with 418 I'm a Teapot: no coffee"
    for use in (ws.receive, ws.receive_all, ws.receive_nothing, ws.close, ws.lose, lambda: ws.send("x"), ws.__enter__):
        with pytest.raises(NotOpened, match=said):
            use()


def test_a_redirect_says_where_to(route, grip_client, settings):
    settings.MIDDLEWARE = ["django_grip.GripMiddleware", "django.middleware.common.CommonMiddleware"]
    route("ws/", Echo)
    with pytest.raises(NotOpened, match="was refused with 301 Moved Permanently to /ws/: "):
        grip_client.websocket("/ws").receive()


@pytest.mark.django_db
def test_what_waits_for_a_commit_is_told(route, grip_client):
    class View(WebSocketView):
        channels = ("all",)

        def on_message(self, message):
            self.publish(message, on_commit=True)

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send("a")
        with pytest.raises(NothingReceived, match=r"on_commit was used: .* captureOnCommitCallbacks"):
            ws.receive()


def test_a_refusal_is_a_response_for_djangos_assertions(route, grip_client):
    route("ws/<int:room>/", type("View", (WebSocketView,), {"on_open": lambda self: self.reject(403, '{"a": 1}')}))
    response = grip_client.websocket("/ws/5/").response
    assert response.wsgi_request.path == "/ws/5/"
    assert response.resolver_match.kwargs == {"room": 5}
    assert response.client is grip_client
    response["Content-Type"] = "application/json"
    assert response.json() == {"a": 1}


@pytest.mark.parametrize(("error", "status"), [(PermissionDenied, 403), (None, 404)])
def test_what_is_no_fault_of_the_view_is_not_raised(route, grip_client, error, status):
    class View(WebSocketView):
        def on_open(self):
            raise error

    if error is not None:
        route("ws/", View)
    assert grip_client.websocket("/ws/").status_code == status


def test_a_request_for_a_websocket_of_a_view_that_speaks_none_is_refused(route, grip_client):
    route("page/", lambda request: HttpResponse("a page"))
    assert grip_client.websocket("/page/").accepted is False


def test_the_view_sees_the_request_of_the_client(route):
    seen = {}

    class View(WebSocketView):
        def on_open(self):
            request = self.request
            seen.update(
                path=request.path,
                query=request.GET.dict(),
                agent=request.headers["User-Agent"],
                extra=request.headers["X-Extra"],
                cookie=request.COOKIES["c"],
                secure=request.is_secure(),
                host=request.get_host(),
                address=request.META["REMOTE_ADDR"],
                signed=request.grip_signed,
            )

    route("rooms/<room>/", View)
    client = GripClient(headers={"User-Agent": "kit"}, REMOTE_ADDR="10.0.0.1")
    client.cookies["c"] = "1"
    with client.websocket("/rooms/ünï x/?a=1&b=ü", secure=True, headers={"X-Extra": "2"}):
        pass
    assert seen == {
        "path": "/rooms/ünï x/",
        "query": {"a": "1", "b": "ü"},
        "agent": "kit",
        "extra": "2",
        "cookie": "1",
        "secure": True,
        "host": "testserver",
        "address": "10.0.0.1",
        "signed": True,
    }


def test_query_params_are_those_of_djangos_client(route, grip_client):
    class View(WebSocketView):
        def on_open(self):
            self.send(str(list(self.request.GET.lists())))

    route("ws/", View)
    with grip_client.websocket("/ws/", query_params={"a": [1, 2], "b": "ü&"}) as ws:
        assert ws.receive() == "[('a', ['1', '2']), ('b', ['ü&'])]"


def test_every_request_of_a_connection_has_the_cookies_it_began_with(route, grip_client):
    class View(WebSocketView):
        def on_open(self):
            self.response.set_cookie("late", "1")

        def on_message(self, message):
            self.send(str(self.request.COOKIES))
            self.request.session["seen"] = True

    route("ws/", View)
    grip_client.cookies["early"] = "1"
    with grip_client.websocket("/ws/") as ws:
        grip_client.cookies["later"] = "1"
        ws.send("x")
        assert ws.receive() == "{'early': '1'}"
    # What a view answers to a message has no way to the client's cookies.
    assert sorted(grip_client.cookies) == ["early", "late", "later"]


def test_a_page_of_another_site_is_refused(route, grip_client):
    route("ws/", Echo)
    assert grip_client.websocket("/ws/", headers={"Origin": "http://testserver"}).accepted
    assert grip_client.websocket("/ws/", headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_client_cannot_speak_as_the_proxy(route, grip_client):
    class View(Echo):
        def on_open(self):
            self.send(f"{self.request.grip_signed} {'HTTP_META_USER' in self.request.META}")

    route("ws/", View)
    headers = {"Grip-Sig": "x", "Meta-User": "root", "Connection-Id": "y"}
    with grip_client.websocket("/ws/", headers=headers) as ws:
        assert ws.receive() == "True False"


def test_csrf_checks_do_not_stand_in_the_way(route, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]
    route("ws/", Echo)
    with GripClient(enforce_csrf_checks=True).websocket("/ws/") as ws:
        ws.send("x")
        assert ws.receive() == "x"


# -- exceptions --------------------------------------------------------------------------------------------------------


def test_an_exception_in_a_hook_is_raised_in_the_test(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        with pytest.raises(RuntimeError, match="broken"):
            ws.send("fail")
        assert (ws.close_code, ws.close_reason) == (1011, "server error")


def test_an_exception_in_on_open_is_raised_by_what_opens(route, grip_client):
    class View(WebSocketView):
        def on_open(self):
            raise RuntimeError("broken")

    route("ws/", View)
    with pytest.raises(RuntimeError, match="broken"):
        grip_client.websocket("/ws/")


def test_a_client_that_raises_nothing_sees_what_a_browser_would(route):
    route("ws/", Told)
    route("no/", type("View", (WebSocketView,), {"on_open": lambda self: 1 / 0}))
    client = GripClient(raise_request_exception=False)
    assert client.websocket("/no/").status_code == 500
    with client.websocket("/ws/") as ws:
        ws.send("fail")
        assert ws.close_code == 1011


def test_an_exception_that_on_error_takes_is_not_raised(route, grip_client):
    class View(Told):
        def on_error(self, error):
            self.send(str(error))

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send("fail")
        assert ws.receive() == "broken"
        assert not ws.closed


# -- the end -----------------------------------------------------------------------------------------------------------


def test_the_end_of_the_block_closes_with_1000(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        pass
    assert Told.log == [(1000, "")]
    assert (ws.closed, ws.close_code) == (True, 1000)


def test_the_client_closes_with_code_and_reason(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        ws.close(4001, "so long")
        ws.close(4002)
        assert (ws.close_code, ws.close_reason) == (4001, "so long")
    assert Told.log == [(4001, "so long")]


def test_a_close_without_a_code(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        ws.close(None)
    assert Told.log == [(None, "")]


def test_a_connection_that_is_lost(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        ws.lose()
        assert (ws.close_code, ws.close_reason) == (1006, "")
    assert Told.log == [(1006, "")]


def test_the_server_closes_behind_what_it_sent_and_on_close_is_called(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        assert (ws.closed, ws.close_code, ws.close_reason) == (False, None, "")
        ws.send("close")
        assert (ws.closed, ws.close_code, ws.close_reason) == (True, 4000, "enough")
        assert ws.receive() == "bye"
        with pytest.raises(NotOpened, match="The WebSocket /ws/ is closed; nothing can be sent"):
            ws.send("late")
    assert Told.log == ["close", (4000, "enough")]


def test_a_test_that_fails_in_the_block_fails_for_its_own_reason(route, grip_client):
    class View(Told):
        def on_close(self, code, reason):
            raise RuntimeError("not this")

    route("ws/", View)
    with pytest.raises(ZeroDivisionError), grip_client.websocket("/ws/"):
        _ = 1 / 0
    with pytest.raises(RuntimeError, match="not this"), grip_client.websocket("/ws/"):
        pass


# -- what is published -------------------------------------------------------------------------------------------------


def test_what_is_published_arrives_where_it_is_subscribed(route, grip_client):
    class Room(WebSocketView):
        channels = ["room:{room}"]

        def on_message(self, message):
            self.publish(message)

    route("rooms/<room>/", Room)
    with (
        grip_client.websocket("/rooms/a/") as one,
        grip_client.websocket("/rooms/a/") as two,
        grip_client.websocket("/rooms/b/") as other,
    ):
        one.send("hello")
        Room.broadcast("noon", room="a")
        assert one.receive_all() == two.receive_all() == ["hello", "noon"]
        assert (one.channels, other.channels) == ({"room:a"}, {"room:b"})
        other.receive_nothing()


def test_who_publishes_may_leave_itself_out(route, grip_client):
    class View(WebSocketView):
        channels = ["all"]

        def on_message(self, message):
            self.publish(message, exclude_self=True)

    route("ws/", View)
    with grip_client.websocket("/ws/") as one, grip_client.websocket("/ws/") as two:
        one.send("hello")
        assert (one.receive_all(), two.receive_all()) == ([], ["hello"])


def test_a_filter_is_applied(route, grip_client):
    class View(WebSocketView):
        channels = ["news"]
        filters = ["require-sub"]

        def on_message(self, message):
            self.subscribe("gold")

    route("ws/", View)
    with grip_client.websocket("/ws/") as poor, grip_client.websocket("/ws/") as rich:
        rich.send("pay")
        assert rich.channels == {"news", "gold"}
        publish("news", WebSocketMessageFormat("for gold"), meta={"require_sub": "gold"})
        assert (poor.receive_all(), rich.receive_all()) == ([], ["for gold"])


def test_the_prefix_goes_on_and_comes_off(route, grip_client, settings):
    settings.GRIP_PREFIX = "site-"
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        assert ws.channels == {"all"}
        Echo.broadcast("x")
        assert ws.receive() == "x"


def test_one_client_is_written_to_and_closed_by_its_address(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as one, grip_client.websocket("/ws/") as two:
        send_to(one.connection, "for you")
        close_to(one.connection, 4005, "gone")
        assert one.receive() == "for you"
        assert one.close_code == 4005
        two.receive_nothing()
        assert not two.closed
        with pytest.raises(NotOpened, match="has no address: it is closed, or its view is no WebSocketView"):
            _ = one.connection
    assert Told.log == [(4005, "gone"), (1000, "")]


def test_the_state_of_the_view_can_be_looked_at(route, grip_client):
    class View(WebSocketView):
        def on_message(self, message):
            self.state["ü"] = [*self.state.get("ü", []), message]

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        assert ws.state == {}
        ws.send("a", "b")
        assert ws.state == {"ü": ["a", "b"]}


def test_a_refresh_lets_the_view_run_before_publish_returns(route, grip_client):
    route("ws/", Told)
    with grip_client.websocket("/ws/"):
        publish("told", WebSocketMessageFormat(action="refresh"))
        assert Told.log == ["refresh"]


def test_what_a_thread_publishes_arrives(route, grip_client):
    route("ws/", Echo)
    with grip_client.websocket("/ws/") as ws:
        thread = threading.Thread(target=Echo.broadcast, args=["from a thread"])
        thread.start()
        thread.join()
        assert ws.receive() == "from a thread"


def test_receive_waits_for_a_thread_if_it_is_told_to(route, grip_client):
    class View(WebSocketView):
        def on_message(self, message):
            threading.Thread(target=answer, args=[self.connection]).start()

    def answer(connection):
        may_answer.wait(60)
        send_to(connection, "at last")

    may_answer = threading.Event()
    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send("?")
        with pytest.raises(NothingReceived):
            ws.receive(timeout=0.01)
        may_answer.set()
        assert ws.receive(timeout=60) == "at last"


def test_a_view_that_runs_for_a_thread_runs_on_the_tests_own(route, grip_client):
    threads = []

    class View(Told):
        def on_refresh(self):
            threads.append(threading.current_thread())
            self.send("refreshed")

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        thread = threading.Thread(target=publish, args=["told", WebSocketMessageFormat(action="refresh")])
        thread.start()
        thread.join()
        assert ws.receive(timeout=60) == "refreshed"
    assert threads == [threading.current_thread()]


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_silent_connection_is_asked_again(route, grip_client, grip_clock):
    route("ws/", Told)
    with grip_client.websocket("/ws/") as ws:
        grip_clock.advance(59)
        ws.receive_nothing()
        grip_client.advance(1)
        assert ws.receive() == "refreshed"
        grip_client.advance(180)
        assert ws.receive_all() == ["refreshed"] * 3


def test_a_tick_ends_a_connection_that_is_no_longer_allowed(route, grip_client):
    class View(Told):
        def dispatch(self, request, *args, **kwargs):
            if is_closed:
                raise PermissionDenied
            return super().dispatch(request, *args, **kwargs)

    is_closed = []
    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        is_closed.append(True)
        grip_client.advance(60)
        assert (ws.close_code, ws.close_reason) == (4403, "not permitted")
