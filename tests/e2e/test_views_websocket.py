"""`WebSocketView`: messages, state, channels, what is sent from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

from .backstage import Backstage
from .clients import receive
from .puppets import LIVE_SITE, PREFIX, ask, closing, hear, logged_in, open_as, tell
from .servers import ROOT
from .sites import Site
from .waiting import PATIENCE, wait_until

pytestmark = LIVE_SITE

# The same view with sync and with async hooks.
PUPPETS = ["ws", "async-ws"]


@pytest.fixture(params=PUPPETS)
def puppet(request: pytest.FixtureRequest, channel: str) -> str:
    """The path of a view that does what it is told."""
    return f"/views/{request.param}/{channel}/"


@pytest.fixture
def backstage(site: Site, channel: str) -> Backstage:
    return Backstage(site, channel)


@pytest.fixture
def pair(site: Site, puppet: str, channel: str) -> Iterator[tuple[ClientConnection, ClientConnection]]:
    """Two clients of one channel, both subscribed."""
    with site.ws(puppet) as one, site.ws(puppet) as two:
        site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws", count=2)
        yield one, two


# -- messages ------------------------------------------------------------------------------------------------------


def test_a_text_is_sent_back(site: Site) -> None:
    with site.ws("/views/text/") as ws:
        for message in ("hello", "", "naïve ☃ \U0001f600", "x" * 20_000):
            ws.send(message)
            assert receive(ws) == message


def test_bytes_are_sent_back(site: Site) -> None:
    with site.ws("/views/bytes/") as ws:
        for message in (b"\x00\xff", b"", b"m:", bytes(20_000)):
            ws.send(message)
            assert receive(ws) == message


def test_json_knows_dates_decimals_uuids_and_lazy_strings(site: Site, puppet: str) -> None:
    with site.ws(puppet) as ws:
        assert ask(ws, "many_things") == {
            "date": "2024-02-29",
            "decimal": "1.10",
            "uuid": "00000000-0000-0000-0000-000000000007",
            "lazy": "Monday",
        }


def test_a_message_in_frames_arrives_as_one(site: Site) -> None:
    with site.ws("/views/text/") as ws:
        ws.send(["in ", "three ", "frames"])
        assert receive(ws) == "in three frames"


def test_state_lasts_over_a_hundred_messages_in_order(site: Site, puppet: str) -> None:
    with site.ws(puppet) as ws:
        # One by one each message is a request of its own; then many are in one.
        for number in range(1, 51):
            assert ask(ws, "count") == number
        for _ in range(50):
            tell(ws, "count")
        assert [hear(ws) for _ in range(50)] == list(range(51, 101))


def test_two_connections_have_two_states(pair: tuple[ClientConnection, ClientConnection]) -> None:
    one, two = pair
    assert [ask(one, "count"), ask(one, "count"), ask(two, "count")] == [1, 2, 1]


def test_what_state_can_hold_comes_back_as_it_was(site: Site, puppet: str) -> None:
    values = {"text": "☃", "number": 1.5, "nothing": None, "list": [1, {"deep": True}], "long": "x" * 1500}
    with site.ws(puppet) as ws:
        tell(ws, "remember", **values)
        assert ask(ws, "tell")["state"] == values


def test_several_messages_in_one_request_keep_their_order(site: Site, puppet: str, backstage: Backstage) -> None:
    with site.ws(puppet) as ws:
        tell(ws, "wait")
        backstage.wait_notes(["waits"])
        # Meanwhile one request is under way, so these must wait, and then travel together.
        for number in range(100):
            tell(ws, "note", text=f"{number}")
        backstage.open_gate()
        assert ask(ws, "send", message="done") == "done"
    noted = [note for note in backstage.notes() if len(note) == 2]
    assert [text for _, text in noted] == [str(number) for number in range(100)]
    assert len({request for request, _ in noted}) < 100


def test_a_view_knows_its_url_and_its_user(site: Site, puppet: str, channel: str) -> None:
    with logged_in(site, "ada") as ada, open_as(site, puppet, ada) as ws:
        told = ask(ws, "tell")
    assert (told["kwargs"], told["user"]) == ({"name": channel}, "ada")


# -- the opening ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["old.v1"], "old.v1"), (["old.v1", "new.v2"], "new.v2"), (["foreign"], None), (None, None)],
)
def test_the_client_sees_the_subprotocol(
    site: Site, puppet: str, offered: list[str] | None, chosen: str | None
) -> None:
    with site.ws(puppet, subprotocols=offered) as ws:
        assert ws.subprotocol == chosen
        assert ask(ws, "tell")["subprotocol"] == chosen


def test_headers_and_cookies_of_the_opening_reach_the_client(site: Site, puppet: str) -> None:
    with site.ws(puppet + "?do=dress") as ws:
        headers = ws.response.headers
        assert headers["X-Opened-By"] == "on_open"
        assert headers.get_all("Set-Cookie") == ["seat=7; Path=/", "row=b; HttpOnly; Path=/"]
        assert not [name for name in headers if name.lower().startswith(("grip-", "set-meta-", "keep-alive-"))]


def test_what_is_sent_at_the_opening_is_the_first_message(site: Site, puppet: str) -> None:
    with site.ws(puppet + "?do=send&message=welcome") as ws:
        assert hear(ws) == "welcome"
        assert ask(ws, "send", message="second") == "second"


def test_a_state_of_the_opening_is_there_later(site: Site, puppet: str) -> None:
    with site.ws(puppet + "?do=remember&nick=ada") as ws:
        assert ask(ws, "tell")["state"] == {"nick": "ada"}


# -- channels ------------------------------------------------------------------------------------------------------


def test_what_is_published_reaches_everybody(pair: tuple[ClientConnection, ClientConnection]) -> None:
    one, two = pair
    tell(one, "publish", message={"text": "for all"})
    assert [hear(one), hear(two)] == [{"text": "for all"}] * 2


def test_exclude_self_leaves_out_who_publishes(pair: tuple[ClientConnection, ClientConnection]) -> None:
    one, two = pair
    for number in range(5):
        tell(one, "publish", message=number, exclude_self=True)
    tell(two, "publish", message="from two", exclude_self=True)
    # Several processes answer, and each publishes in an order of its own.
    assert sorted(hear(two) for _ in range(5)) == list(range(5))
    assert hear(one) == "from two"
    tell(one, "publish", message="for both")
    assert [hear(one), hear(two)] == ["for both"] * 2


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"data": {"price": 1}}, {"price": 1}),
        ({"data": "text"}, "text"),
        ({"data": 7, "event": "count"}, {"event": "count", "data": 7}),
        ({"data": 7, "event": "count", "id": "3"}, {"event": "count", "data": 7, "id": "3"}),
    ],
)
def test_an_event_arrives_as_json(site: Site, puppet: str, channel: str, event: Any, message: Any) -> None:
    with site.ws(puppet) as ws:
        site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws")
        assert ask(ws, "publish_event", **event) == message


def test_broadcast_from_another_view_reaches_everybody(
    site: Site, pair: tuple[ClientConnection, ClientConnection], channel: str
) -> None:
    answer = site.http.post(f"/views/broadcast/{channel}/", data={"message": "at noon"})
    assert answer.json() == {"proxies": 1}
    assert [hear(ws) for ws in pair] == ["at noon", "at noon"]
    site.http.post(f"/views/async-broadcast/{channel}/", data={"message": "at one"}).raise_for_status()
    assert [hear(ws) for ws in pair] == [{"event": "news", "data": "at one"}] * 2


def test_a_view_with_two_channels_is_on_both(site: Site, channel: str) -> None:
    with site.ws(f"/views/two/{channel}/") as ws:
        for side in ("left", "right"):
            site.wait_subscribed(f"{PREFIX}{side}:{channel}", mode="ws")
            assert ask(ws, "publish", message=side, channel=f"{side}:{channel}") == side


def test_a_connection_may_join_and_leave_channels(site: Site, puppet: str, channel: str) -> None:
    with site.ws(puppet) as ws:
        tell(ws, "subscribe", channel=f"more:{channel}")
        site.wait_subscribed(f"{PREFIX}more:{channel}", mode="ws")
        site.publish_ws(f"{PREFIX}more:{channel}", '"in"')
        assert hear(ws) == "in"
        tell(ws, "unsubscribe", channel=f"more:{channel}")
        site.wait_subscribed(f"{PREFIX}more:{channel}", mode="ws", count=0)
        # What it was on from the start it still is.
        site.publish_ws(f"{PREFIX}puppet:{channel}", '"still"')
        assert hear(ws) == "still"


def test_messages_published_while_hooks_answer_lose_nothing(
    site: Site, pair: tuple[ClientConnection, ClientConnection]
) -> None:
    one, two = pair
    for number in range(100):
        tell(one, "publish", message=number, exclude_self=True)
        tell(one, "count")
    # As above.
    assert sorted(hear(two) for _ in range(100)) == list(range(100))
    assert [hear(one) for _ in range(100)] == list(range(1, 101))


# -- from outside --------------------------------------------------------------------------------------------------


def test_send_to_reaches_one_connection_only(site: Site, pair: tuple[ClientConnection, ClientConnection]) -> None:
    one, two = pair
    to_one, to_two = (ask(ws, "tell")["connection"] for ws in pair)
    assert to_one != to_two
    for connection, message in ((to_one, "for one"), (to_two, "for two")):
        data = {"connection": connection, "message": message}
        site.http.post("/views/to-one/", data=data).raise_for_status()
    assert (hear(one), hear(two)) == ("for one", "for two")


def test_close_to_closes_one_connection_only(
    site: Site, pair: tuple[ClientConnection, ClientConnection], backstage: Backstage
) -> None:
    one, two = pair
    data = {"connection": ask(one, "tell")["connection"], "code": "4007", "reason": "you know why"}
    site.http.post("/views/to-one/", data=data).raise_for_status()
    assert closing(one) == (4007, "you know why")
    assert ask(two, "send", message="still here") == "still here"
    backstage.wait_any("close")
    (close,) = (note for note in backstage.notes() if note[0] == "close")
    # Pushpin does not tell the application what a published close said.
    assert close in (["close", None, ""], ["close", 4007, "you know why"])


def test_a_shell_sends_in_order_and_ends(site: Site, puppet: str, channel: str) -> None:
    with site.ws(puppet) as ws:
        # Its own channel comes before the others.
        site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws")
        shell(site, f"for n in range(50): send_to({ask(ws, 'tell')['connection']!r}, {{'word': n}})")
        assert [hear(ws) for _ in range(50)] == [{"word": number} for number in range(50)]


def shell(site: Site, script: str) -> None:
    """Run a script as ``manage.py shell`` would; what it has published is on its way when it ends."""
    env = {**os.environ, **site.app.environment()}
    start = "import django; django.setup(); from django_grip import send_to\n"
    subprocess.run([sys.executable, "-c", start + script], env=env, cwd=ROOT, check=True, timeout=PATIENCE)


# -- silence -------------------------------------------------------------------------------------------------------


class PingCounter(ClientConnection):
    """Counts the pings of the other side."""

    pings = 0

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


def test_the_proxy_pings_a_silent_client(site: Site) -> None:
    with site.ws("/views/text/", create_connection=PingCounter) as ws:
        assert isinstance(ws, PingCounter)
        wait_until(lambda: ws.pings >= 2, "two pings came")
        ws.send("still there?")
        assert receive(ws) == "still there?"


def test_a_ping_of_the_client_is_answered(site: Site, puppet: str) -> None:
    with site.ws(puppet) as ws:
        assert ws.ping(b"are you there?").wait(PATIENCE)
        assert ws.ping().wait(PATIENCE)


def test_a_silent_connection_is_asked_again_and_ended_when_its_session_is_gone(sites: list[Site], channel: str) -> None:
    path = f"/views/member/{channel}/"
    with ExitStack() as stack:
        opened = []
        for site in sites:
            ada, bob = (stack.enter_context(logged_in(site, name)) for name in ("ada", "bob"))
            stays, goes = (stack.enter_context(open_as(site, path, user, ping_interval=None)) for user in (ada, bob))
            bob.post("/views/log-out/").raise_for_status()
            opened.append((site, stays, goes))
        for site, stays, goes in opened:
            # The proxy asks after twenty seconds, which is the least it can be told.
            assert closing(goes) == (4401, "log in again")
            Backstage(site, channel).wait_notes(["refresh"])
            assert ask(stays, "tell")["user"] == "ada"
