"""WebSockets from the attacker's side: what is tried, and the answer it must get."""

from __future__ import annotations

import base64
import json
import time

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from django_grip import websocket_only
from django_grip.conf import derive_keys
from django_grip.protocol.state import build_state
from django_grip.views import WebSocketView

from ..proxy import EVENTS_TYPE, OPEN, binary, close, controls, events_of, sent, text

pytest_plugins = ["tests.fixtures"]

CLOSED_4401 = ("CLOSE", (4401).to_bytes(2, "big") + b"log in again")


class Counter(WebSocketView):
    """Counts its messages in its state, and tells."""

    def on_open(self):
        self.state["count"] = 0

    def on_message(self, message):
        self.state["count"] += 1
        self.send(str(self.state["count"]))


class Other(Counter):
    pass


class Json(WebSocketView):
    encoding = "json"

    def on_message(self, message):
        self.send(message)


class Room(WebSocketView):
    channels = ["room:{room}"]


@pytest.fixture
def counter(site):
    site.route("ws/", Counter.as_view())
    site.route("other/", Other.as_view())
    return site


def closed_with(response):
    """The code and reason that a response closes with."""
    kind, content = events_of(response)[-1]
    assert kind == "CLOSE"
    return int.from_bytes(content[:2], "big"), content[2:].decode()


# -- state: forged, foreign, replayed, rolled forward ------------------------------------------------------------------


def test_a_forged_state_closes_the_connection_and_reaches_no_hook(counter):
    ws = counter.connect("/ws/")
    ws.open()
    signature, _, payload = ws.meta["grip-state"].partition(".")
    raw = base64.b64decode(payload)
    assert b'"count":0' in raw
    forged = base64.b64encode(raw.replace(b'"count":0', b'"count":9')).decode()
    ws.meta["grip-state"] = f"{signature}.{forged}"
    response = ws.send(text("a"))
    assert events_of(response) == [CLOSED_4401]


@pytest.mark.parametrize("value", ["", ".", "x", "x.y", "é.é", "." * 5000, "MTp7fQ.AAAA", "\x7f"])
def test_a_malformed_state_closes_the_connection(counter, value):
    ws = counter.connect("/ws/")
    ws.open()
    ws.meta["grip-state"] = value
    if not value:
        del ws.meta["grip-state"]
    assert events_of(ws.send(text("a"))) == [CLOSED_4401]


def test_the_state_of_another_connection_is_worth_nothing(counter):
    victim, attacker = counter.connect("/ws/", connection_id="c1"), counter.connect("/ws/", connection_id="c2")
    victim.open()
    attacker.open()
    attacker.meta["grip-state"] = victim.meta["grip-state"]
    assert events_of(attacker.send(text("a"))) == [CLOSED_4401]


def test_the_state_of_another_view_is_worth_nothing(counter):
    ws, other = counter.connect("/ws/"), counter.connect("/other/")
    ws.open()
    other.open()
    other.meta["grip-state"] = ws.meta["grip-state"]
    assert events_of(other.send(text("a"))) == [CLOSED_4401]


def test_a_state_that_is_rolled_forward_or_too_old_is_refused(counter, monkeypatch):
    ws = counter.connect("/ws/")
    ws.open()
    now = time.time()
    for issued in (now + 3600, now - 30 * 86_400):
        monkeypatch.setattr(time, "time", lambda issued=issued: issued)
        stale = counter.connect("/ws/")
        stale.open()
        monkeypatch.undo()
        assert events_of(stale.send(text("a"))) == [CLOSED_4401]
    assert sent(events_of(ws.send(text("a")))) == [b"1"]


def test_a_state_signed_with_another_purposes_key_is_refused(counter):
    ws = counter.connect("/ws/")
    ws.open()
    forged = build_state('["grip:connection:x",null,"",{"count":9}]', binding="c1", key=derive_keys("links")[0], now=1)
    ws.meta["grip-state"] = forged
    assert events_of(ws.send(text("a"))) == [CLOSED_4401]


def test_meta_that_a_client_sends_along_to_the_opening_is_not_believed(counter):
    ws = counter.connect("/ws/")
    ws.meta["grip-state"] = "forged.value"
    assert events_of(ws.open())[0] == ("OPEN", None)
    assert sent(events_of(ws.send(text("a")))) == [b"1"]


# -- opened from another site ------------------------------------------------------------------------------------------


@pytest.fixture
def both(site):
    """A class view and a function view."""
    opened = []

    class View(WebSocketView):
        def on_open(self):
            opened.append(self.request.path)

    @websocket_only
    def function(request):
        opened.append(request.path)
        request.wscontext.accept()

    site.route("class/", View.as_view())
    site.route("function/", function)
    site.opened = opened
    return site


@pytest.mark.parametrize("path", ["/class/", "/function/"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://testserver.evil.example",
        "https://eviltestserver",
        "https://testserver@evil.example",
        "https://evil.example/testserver",
        "http://testserver:81",
        "file://",
        "",
        "testserver",
        "http://testserver, https://evil.example",
    ],
)
def test_a_page_of_another_site_opens_nothing_with_its_visitors_cookies(both, path, origin):
    ws = both.connect(path, cookie="sessionid=of-the-victim")
    response = ws.open(origin=origin)
    assert response.status_code == 403
    assert response.content == b"Pages of this origin may not open this WebSocket.\n"
    assert both.opened == []


@pytest.mark.parametrize("path", ["/class/", "/function/"])
@pytest.mark.parametrize("headers", [{"origin": "http://testserver"}, {"origin": "https://testserver"}, {}])
def test_the_sites_own_pages_and_what_is_no_browser_open_it(both, path, headers):
    assert events_of(both.connect(path).open(**headers))[0] == ("OPEN", None)
    assert both.opened == [path]


# -- what is no WebSocket request --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "Application/websocket-events",
        "application/WebSocket-Events",
        "application/websocket-events; a=b",
        "application/websocket-events;",
        " application/websocket-events",
        "application/websocket-events ; charset=utf-8",
        '"application/websocket-events"',
        "application/websocket-events,application/websocket-events",
        "text/plain, application/websocket-events",
    ],
)
def test_a_near_spelling_with_forged_meta_reaches_no_view(counter, content_type):
    ws = counter.connect("/ws/")
    ws.open()
    forged = {**ws.request(text("a"))["headers"], "connection-id": "forged", "meta-grip-state": "forged"}
    response = counter.post("/ws/", b"OPEN\r\n", content_type=content_type, headers=forged)
    assert response.status_code == 400
    assert response.content == f'The Content-Type is not, byte for byte, "{EVENTS_TYPE}".\n'.encode()


def test_events_that_no_proxy_signed_reach_no_view(counter):
    headers = {"connection-id": "c1", "meta-grip-state": "forged"}
    response = counter.post("/ws/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers=headers)
    assert response.status_code == 403


# -- channels through the URL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "channel"),
    [
        ("/rooms/5/", "room:5"),
        ("/rooms/5:admin/", "room:5%3Aadmin"),
        ("/rooms/a%2Cb/", "room:a%2Cb"),
        ("/rooms/a,b/", "room:a%2Cb"),
        ("/rooms/a%252Cb/", "room:a%252Cb"),
        ("/rooms/a;b/", "room:a%3Bb"),
        ("/rooms/%22x%22/", "room:%22x%22"),
        ("/rooms/%20x%20/", "room: x%20"),
        ("/rooms/%C3%A9/", "room:é"),
    ],
)
def test_a_value_from_the_url_stays_inside_its_place_in_the_channels_name(site, path, channel):
    site.route("rooms/<path:room>/", Room.as_view())
    events = events_of(site.connect(path).open())
    subscribed = [json.loads(control)["channel"] for control in controls(events) if b'"subscribe"' in control]
    assert len(subscribed) == 2
    assert subscribed[1] == channel
    assert subscribed[0].startswith("grip:connection:")


def test_a_value_too_long_for_a_channel_is_a_400(site):
    site.route("rooms/<room>/", Room.as_view())
    response = site.connect("/rooms/" + "x" * 2000 + "/").open()
    assert response.status_code == 400
    assert b"This URL names no channel" in response.content


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (text("x" * 200_000), 1009),
        (text("é" * 70_000), 1009),
        (binary(b"x" * 200_000), 1003),
        (text("[" * 100_000), 1007),
        (text('{"a":' * 20_000), 1007),
        (text("NaN"), 1007),
        (text('{"a": Infinity}'), 1007),
        (text("-Infinity"), 1007),
        (text("9" * 10_000), 1007),
        (text(""), 1007),
        (text("{"), 1007),
        (text('{"a":1}garbage'), 1007),
    ],
)
def test_a_message_that_no_view_should_see_closes_the_connection(site, message, code):
    site.route("ws/", Json.as_view())
    ws = site.connect("/ws/")
    ws.open()
    response = ws.send(text("1"), message, text("2"))
    assert sent(events_of(response)) == [b"1"]
    assert closed_with(response)[0] == code


def test_text_that_is_not_utf_8_closes_the_connection(counter):
    ws = counter.connect("/ws/")
    ws.open()
    response = ws.send(text("a"), OPEN._replace(type="TEXT", content=b"\xff\xfe"), text("b"))
    assert sent(events_of(response)) == [b"1"]
    assert closed_with(response) == (1007, "not UTF-8")


def test_a_lone_surrogate_in_json_is_no_text(site):
    site.route("ws/", Json.as_view())
    ws = site.connect("/ws/")
    ws.open()
    response = ws.send(text('"\\ud800"'))
    assert sent(events_of(response)) == []
    assert closed_with(response)[0] == 1007


def test_a_million_pings_get_few_pongs(counter, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    ws = counter.connect("/ws/")
    ws.open()
    request = ws.request()
    request["data"], request["content_type"] = b"PING\r\n" * 1_000_000, EVENTS_TYPE
    request["headers"].pop("content-type", None)
    events = events_of(counter.post(**request))
    assert events == [("PONG", None)] * 100


def test_a_body_over_djangos_limit_closes_the_connection(counter):
    ws = counter.connect("/ws/")
    ws.open()
    response = ws.send(*[text("x" * 1000)] * 3000)
    assert closed_with(response)[0] == 1009


# -- hooks that do what they should not --------------------------------------------------------------------------------


def serve(site, **hooks):
    site.route("ws/", type("View", (WebSocketView,), {**hooks, "__module__": __name__}).as_view())
    return site.connect("/ws/")


def test_an_exception_before_the_acceptance_is_a_refusal(site):
    def on_open(self):
        raise PermissionDenied

    assert serve(site, on_open=on_open).open().status_code == 403


def test_an_exception_after_a_message_closes_behind_what_was_sent(site):
    def on_message(self, message):
        self.send("got " + message)
        raise PermissionDenied

    ws = serve(site, on_message=on_message)
    ws.open()
    response = ws.send(text("a"), text("b"))
    assert sent(events_of(response)) == [b"got a"]
    assert closed_with(response) == (4403, "not permitted")


def test_closing_twice_keeps_the_first_code_and_nothing_is_sent_behind_it(site):
    from django_grip.exceptions import ConnectionClosed

    refused = []

    def on_message(self, message):
        self.close(4000, "first")
        self.close(4001, "second")
        try:
            self.send("behind")
        except ConnectionClosed as error:
            refused.append(str(error))

    ws = serve(site, on_message=on_message)
    ws.open()
    response = ws.send(text("a"), text("never seen"))
    assert events_of(response) == [("CLOSE", (4000).to_bytes(2, "big") + b"first")]
    assert refused == ["The WebSocket is closed; nothing can be sent to it."]


@pytest.mark.parametrize("nonsense", ["text", 0, False, [], object])
def test_nonsense_from_a_hook_closes_the_connection(site, nonsense):
    ws = serve(site, on_message=lambda self, message: nonsense)
    ws.open()
    assert closed_with(ws.send(text("a")))[0] == 1011


def test_a_close_of_the_client_ends_it_whatever_follows(counter):
    ws = counter.connect("/ws/")
    ws.open()
    assert events_of(ws.send(close(1000))) == [("CLOSE", (1000).to_bytes(2, "big"))]


current_user = AnonymousUser()


def set_user(get_response):
    """A middleware that authenticates whom the test says."""
    if iscoroutinefunction(get_response):

        async def middleware(request):
            request.user = current_user
            return await get_response(request)

    else:

        def middleware(request):
            request.user = current_user
            return get_response(request)

    return middleware


set_user.sync_capable = set_user.async_capable = True


def test_a_state_made_for_one_user_serves_no_other(site, settings, monkeypatch, django_user_model):
    ada, bob = (django_user_model(pk=pk, username=f"user{pk}", password="x") for pk in (1, 2))
    settings.MIDDLEWARE = ["django_grip.GripMiddleware", f"{__name__}.set_user"]
    site.route("ws/", Counter.as_view())
    for other in (AnonymousUser(), bob):
        monkeypatch.setattr(f"{__name__}.current_user", ada)
        ws = site.connect("/ws/")
        ws.open()
        assert sent(events_of(ws.send(text("a")))) == [b"1"]
        monkeypatch.setattr(f"{__name__}.current_user", other)
        assert events_of(ws.send(text("a"))) == [CLOSED_4401]
