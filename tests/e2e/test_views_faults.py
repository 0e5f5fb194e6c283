"""How a `WebSocketView` is closed, or does not open: every way, and what either side is told."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from .backstage import Backstage
from .engines import ENDS_TOGETHER
from .puppets import LIVE_SITE, PREFIX, ask, change, closing, cookie_header, hear, logged_in, open_as, tell
from .sites import Site
from .waiting import wait_until

pytestmark = LIVE_SITE


@pytest.fixture(params=["ws", "async-ws"])
def puppet(request: pytest.FixtureRequest, channel: str) -> str:
    """The path of a view that does what it is told; with sync hooks, with async hooks."""
    return f"/views/{request.param}/{channel}/"


@pytest.fixture
def backstage(site: Site, channel: str) -> Backstage:
    return Backstage(site, channel)


def refused(site: Site, path: str, **options: Any) -> httpx.Response:
    """Open a WebSocket that is refused, and return with what."""
    with pytest.raises(InvalidStatus) as caught, site.ws(path, **options):
        pass
    answer = caught.value.response
    return httpx.Response(
        answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body or b"")
    )


def closes(backstage: Backstage) -> list[Any]:
    """What on_close was told, once it was called."""
    backstage.wait_any("close")
    return [note[1:] for note in backstage.notes() if note[0] == "close"]


def vanish(ws: ClientConnection) -> None:
    """Cut the connection as a dying client does, without a close."""
    ws.socket.shutdown(socket.SHUT_RDWR)


# -- the client closes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [(1000, "", [1000, ""]), (1001, "away", [1001, "away"]), (4000, "naïve ☃", [4000, "naïve ☃"])],
)
def test_on_close_is_told_the_client_s_code_and_reason(
    site: Site, puppet: str, backstage: Backstage, code: int, reason: str, told: list[Any]
) -> None:
    with site.ws(puppet) as ws:
        assert ask(ws, "count") == 1
        ws.close(code, reason)
    assert closes(backstage) == [told]
    assert ws.close_code == code
    # Pushpin's echo has the code alone, uvicorn's is the client's own close again.
    assert ws.close_reason in ("", reason)


def test_a_client_that_vanishes_closes_with_1006(site: Site, puppet: str, channel: str, backstage: Backstage) -> None:
    with site.ws(puppet) as ws:
        assert ask(ws, "count") == 1
        vanish(ws)
    assert closes(backstage) == [[1006, ""]]
    site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws", count=0)


def test_messages_before_the_close_are_handled_first(site: Site, puppet: str, backstage: Backstage) -> None:
    with site.ws(puppet) as ws:
        for number in range(20):
            tell(ws, "note", text=f"{number}")
        ws.close()
    assert closes(backstage) == [[1000, ""]]
    assert [note[1] for note in backstage.notes() if len(note) == 2] == [str(number) for number in range(20)]


# -- the view closes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, (1000, "")),
        ({"code": 3000, "reason": ""}, (3000, "")),
        ({"code": 4999, "reason": "naïve ☃"}, (4999, "naïve ☃")),
        ({"code": 4000, "reason": "x" * 123}, (4000, "x" * 123)),
    ],
)
def test_the_client_is_told_the_view_s_code_and_reason(
    site: Site, puppet: str, backstage: Backstage, arguments: Any, told: tuple[int, str]
) -> None:
    with site.ws(puppet) as ws:
        tell(ws, "close", **arguments)
        assert closing(ws) == told
    # The client's echo is the close that on_close is told of.
    assert closes(backstage) == [list(told)]


def test_what_was_sent_before_the_close_arrives(site: Site, puppet: str) -> None:
    with site.ws(puppet) as ws:
        tell(ws, "send", message="last words")
        tell(ws, "close", code=4000)
        assert hear(ws) == "last words"
        assert closing(ws) == (4000, "")


def test_a_view_may_accept_and_close_at_once(site: Site, puppet: str) -> None:
    with site.ws(puppet + "?do=close&code=4003&reason=full") as ws:
        assert closing(ws) == (4003, "full")


def test_a_close_from_outside_ends_everybody_on_the_channel(site: Site, puppet: str, channel: str) -> None:
    name = f"{PREFIX}puppet:{channel}"
    with site.ws(puppet) as one, site.ws(puppet) as two:
        site.wait_subscribed(name, mode="ws", count=2)
        site.publish(name, {"ws-message": {"action": "close", "code": 4008, "reason": "moved"}})
        assert [closing(one), closing(two)] == [(4008, "moved")] * 2


# -- the opening is refused ----------------------------------------------------------------------------------------


def test_reject_is_answered_with_its_status_body_and_headers(site: Site, puppet: str) -> None:
    answer = refused(site, puppet + "?do=reject&status=404&content=no such room")
    assert (answer.status_code, answer.text) == (404, "no such room")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert not [name for name in answer.headers if name.startswith(("grip-", "set-meta-"))]


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("do=reject", 403),
        ("do=reject&status=503", 503),
        ("do=redirect", 401),
        ("do=raise&error=PermissionDenied", 403),
        ("do=raise&error=Http404", 404),
        ("do=raise&error=ValueError", 500),
        ("do=nonsense", 500),
    ],
)
def test_what_refuses_the_opening_is_a_status(
    site: Site, puppet: str, channel: str, backstage: Backstage, what: str, status: int
) -> None:
    assert refused(site, f"{puppet}?{what}").status_code == status
    # It was never open, so it does not close.
    assert backstage.notes() == [["open"]]


def test_an_unknown_path_is_404(site: Site) -> None:
    assert refused(site, "/views/nowhere/").status_code == 404


@pytest.mark.parametrize("view", ["member", "async-member"])
def test_a_redirect_to_the_log_in_page_is_401(site: Site, channel: str, view: str) -> None:
    answer = refused(site, f"/views/{view}/{channel}/")
    assert (answer.status_code, answer.text) == (401, "Log in first.\n")
    with logged_in(site, "ada") as ada, open_as(site, f"/views/{view}/{channel}/", ada) as ws:
        assert ask(ws, "tell")["user"] == "ada"


def test_a_missing_permission_is_403(site: Site, channel: str) -> None:
    path = f"/views/editor/{channel}/"
    with logged_in(site, f"reader-{channel}") as reader:
        assert refused(site, path, additional_headers=cookie_header(reader)).status_code == 403
    with logged_in(site, f"editor-{channel}", "change_group") as editor, open_as(site, path, editor) as ws:
        assert ask(ws, "count") == 1


def test_a_page_of_another_site_may_not_open_it(site: Site, puppet: str, backstage: Backstage) -> None:
    for origin in ("https://evil.example", "null", "not an origin"):
        assert refused(site, puppet, origin=origin).status_code == 403
    assert backstage.notes() == []
    with site.ws(puppet, origin=site.url) as ws:
        assert ask(ws, "count") == 1


def test_a_client_past_the_proxy_is_told_to_come_through_it(site: Site, puppet: str) -> None:
    if site.stack.interface == "wsgi":  # uvicorn would take the upgrade for itself
        answer = site.direct.get(puppet, headers={"Connection": "Upgrade", "Upgrade": "websocket"})
        assert (answer.status_code, "behind a GRIP proxy" in answer.text) == (501, True)
    for client in (site.direct, site.http):
        answer = client.get(puppet)
        assert (answer.status_code, answer.text) == (400, "Request must contain WebSocket events.\n")


# -- something goes wrong in mid-session ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ValueError", (1011, "server error")),
        ("PermissionDenied", (4403, "not permitted")),
        ("Http404", (4404, "not found")),
    ],
)
def test_an_exception_closes_the_connection_with_a_code(
    site: Site, puppet: str, backstage: Backstage, error: str, told: tuple[int, str]
) -> None:
    with site.ws(puppet) as ws:
        # What was sent before it in the same request still arrives.
        tell(ws, "send", message="before")
        tell(ws, "raise", error=error)
        assert hear(ws) == "before"
        assert closing(ws) == told
    assert closes(backstage) == [list(told)]
    assert "meant by the test" in site.app.log_text() or error != "ValueError"


def test_messages_behind_an_exception_are_handled_by_nobody(site: Site, puppet: str, backstage: Backstage) -> None:
    with site.ws(puppet) as ws:
        tell(ws, "wait")
        backstage.wait_notes(["waits"])
        tell(ws, "raise", error="ValueError")
        for number in range(5):
            tell(ws, "note", text=f"{number}")
        backstage.open_gate()
        assert closing(ws)[0] == 1011
    assert closes(backstage) == [[1011, "server error"]]
    assert [note for note in backstage.notes() if len(note) == 2] == []


def test_on_error_may_keep_the_connection(site: Site, channel: str) -> None:
    with site.ws(f"/views/forgiving/{channel}/") as ws:
        assert ask(ws, "raise", error="ValueError") == {"error": "meant by the test"}
        assert ask(ws, "count") == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", 1007),
        ("NaN", 1007),
        ("[" * 1500, 1007),
        ('"' + "x" * 2_000 + '"', 1009),
        (b"\x00", 1003),
        ('{"do": "close", "code": 1005}', 1011),
        ('{"do": "close", "code": 4000, "reason": "' + "x" * 124 + '"}', 1011),
        ('{"do": "remember", "much": "' + "x" * 1_900 + '"}', None),
    ],
    ids=["not json", "NaN", "deep", "too long", "binary", "illegal code", "long reason", "fits"],
)
def test_a_message_that_cannot_be_taken_closes_with_its_code(
    site: Site, puppet: str, message: Any, code: int | None
) -> None:
    with site.ws(puppet) as ws:
        ws.send(message)
        if code is None:
            assert ask(ws, "count") == 1
        else:
            assert closing(ws)[0] == code


def test_a_state_that_grows_too_large_closes_with_1011(site: Site, puppet: str) -> None:
    with site.ws(puppet) as ws:
        # Two are too much already: a third could meet the close.
        for name in ("one", "two"):
            tell(ws, "remember", **{name: "x" * 1_900})
        assert closing(ws) == (1011, "server error")


# -- authority is asked again --------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["member", "async-member"])
def test_a_message_after_the_log_out_closes_with_4401(site: Site, channel: str, view: str) -> None:
    with logged_in(site, "ada") as ada, open_as(site, f"/views/{view}/{channel}/", ada) as ws:
        assert ask(ws, "count") == 1
        ada.post("/views/log-out/").raise_for_status()
        tell(ws, "count")
        assert closing(ws) == (4401, "log in again")


@pytest.mark.parametrize("view", ["ws", "async-ws"])
def test_a_state_made_for_a_user_is_nobody_else_s(site: Site, channel: str, view: str) -> None:
    """Also where a view lets everybody in: who has logged out is somebody else."""
    with logged_in(site, "ada") as ada, open_as(site, f"/views/{view}/{channel}/", ada) as ws:
        assert ask(ws, "tell")["user"] == "ada"
        ada.post("/views/log-out/").raise_for_status()
        tell(ws, "count")
        assert closing(ws) == (4401, "log in again")


@pytest.mark.parametrize("what", ["password", "deactivate"])
def test_a_changed_account_closes_with_4401(site: Site, channel: str, what: str) -> None:
    name = f"changes-{channel}"
    with logged_in(site, name) as user, open_as(site, f"/views/member/{channel}/", user) as ws:
        assert ask(ws, "count") == 1
        change(site, name, what)
        tell(ws, "count")
        assert closing(ws) == (4401, "log in again")


def test_a_permission_that_is_taken_away_closes_with_4403(site: Site, channel: str) -> None:
    name = f"demoted-{channel}"
    with logged_in(site, name, "change_group") as editor, open_as(site, f"/views/editor/{channel}/", editor) as ws:
        assert ask(ws, "count") == 1
        change(site, name, "permissions")
        tell(ws, "count")
        assert closing(ws) == (4403, "not permitted")


# -- a part of the whole goes away ---------------------------------------------------------------------------------


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_clients_outlive_a_restart_of_the_application(own_site: Site, channel: str) -> None:
    with own_site.ws(f"/views/ws/{channel}/") as ws, own_site.ws(f"/views/async-ws/{channel}/") as other:
        own_site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws", count=2)
        assert (ask(ws, "count"), ask(other, "count")) == (1, 1)
        own_site.app.stop()
        own_site.publish_ws(f"{PREFIX}puppet:{channel}", '"while it is down"')
        assert (hear(ws), hear(other)) == ("while it is down", "while it is down")
        # Sent to nobody as yet: the proxy tries again until somebody is there.
        for client in (ws, other):
            tell(client, "count")
        own_site.app.start()
        assert (hear(ws), hear(other)) == (2, 2)
        tell(ws, "publish", message="from the new one")
        assert (hear(ws), hear(other)) == ("from the new one", "from the new one")


# What the servers log when they are asked to end in order.
SAYS_IT_ENDS = {"gunicorn": "Handling signal: term", "uvicorn": "Shutting down"}


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_a_restart_lets_the_message_under_way_be_finished(own_site: Site, channel: str) -> None:
    backstage = Backstage(own_site, channel)
    with own_site.ws(f"/views/ws/{channel}/") as ws:
        tell(ws, "wait", message="finished")
        backstage.wait_notes(["waits"])
        with own_site.in_background(own_site.app.stop) as stopping:
            says_so = SAYS_IT_ENDS[own_site.app.server]
            wait_until(lambda: says_so in own_site.app.log_text(), "the server was told to end")
            backstage.open_gate()
            stopping.result()
        assert hear(ws) == "finished"
        own_site.app.start()
        assert ask(ws, "count") == 1
    assert closes(backstage) == [[1000, ""]]


@pytest.mark.wsgi_only("gunicorn reloads")
def test_a_reload_in_the_midst_of_messages_drops_nobody(make_site: Callable[..., Site], channel: str) -> None:
    """A server that ends resets what it has not accepted yet, and with it a message: so deploy by a reload."""
    site = make_site()
    counted = []
    with site.ws(f"/views/ws/{channel}/") as ws:
        site.app.reload()

        def counts_on() -> bool:
            counted.append(ask(ws, "count"))
            return site.app.log_text().count("Worker exiting") >= 2

        wait_until(counts_on, "both workers were replaced", interval=0)
        assert ask(ws, "count") == len(counted) + 1
    assert counted == list(range(1, len(counted) + 1))


def test_clients_come_back_after_a_restart_of_the_proxy(own_site: Site, channel: str) -> None:
    path = f"/views/ws/{channel}/"
    with own_site.ws(path) as ws:
        assert ask(ws, "count") == 1
        tell(ws, "publish", message="before")
        own_site.restart_proxy()
        assert closing(ws)[0] in (1001, 1006, 1012)
    with own_site.ws(path) as ws:
        own_site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws")
        # A new connection, with a state of its own; the application's publisher has found the new proxy. What the old
        # one had taken without saying so is sent again, at any time, to a proxy that has forgotten its id.
        tell(ws, "count")
        assert hear_past(ws, "before") == 1
        tell(ws, "publish", message="after")
        assert hear_past(ws, "before") == "after"


def hear_past(ws: ClientConnection, message: str) -> Any:
    """The next message that is another one."""
    while (heard := hear(ws)) == message:
        pass
    return heard


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_a_close_while_the_application_is_down_is_told_later(own_site: Site, channel: str) -> None:
    backstage = Backstage(own_site, channel)
    with own_site.ws(f"/views/ws/{channel}/") as ws:
        assert ask(ws, "count") == 1
        own_site.app.stop()
        vanish(ws)
    own_site.app.start()
    assert closes(backstage) == [[1006, ""]]
