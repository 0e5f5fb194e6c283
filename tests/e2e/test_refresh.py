"""A published ``refresh``: the proxy asks the application about each connection, at once."""

from __future__ import annotations

import pytest

from .backstage import Backstage
from .puppets import LIVE_SITE, PREFIX, ask, closing, logged_in, open_as, tell
from .sites import Site

pytestmark = [pytest.mark.since_pushpin("1.38"), LIVE_SITE]

REFRESH = {"ws-message": {"action": "refresh"}}


@pytest.fixture
def backstage(site: Site, channel: str) -> Backstage:
    return Backstage(site, channel)


@pytest.mark.parametrize("view", ["ws", "async-ws"])
def test_on_refresh_is_called_for_each_connection(site: Site, channel: str, backstage: Backstage, view: str) -> None:
    path, name = f"/views/{view}/{channel}/", f"{PREFIX}puppet:{channel}"
    with site.ws(path) as one, site.ws(path) as two:
        site.wait_subscribed(name, mode="ws", count=2)
        site.publish(name, REFRESH)
        backstage.wait_count(["refresh"], 2)
        # Neither has heard of it, and each goes on with the state it had.
        assert [ask(ws, "count") for ws in (one, two, one)] == [1, 1, 2]
        site.publish(name, REFRESH)
        backstage.wait_count(["refresh"], 4)
        assert [ask(ws, "count") for ws in (one, two)] == [3, 2]
    assert backstage.notes().count(["refresh"]) == 4


def test_a_log_out_is_noticed_at_once(site: Site, channel: str, backstage: Backstage) -> None:
    name, path = f"{PREFIX}puppet:{channel}", f"/views/member/{channel}/"
    with (
        logged_in(site, "ada") as ada,
        logged_in(site, "bob") as bob,
        open_as(site, path, ada) as stays,
        open_as(site, path, bob) as goes,
    ):
        site.wait_subscribed(name, mode="ws", count=2)
        bob.post("/views/log-out/").raise_for_status()
        site.publish(name, REFRESH)
        assert closing(goes) == (4401, "log in again")
        backstage.wait_notes(["refresh"])
        assert ask(stays, "tell")["user"] == "ada"


def test_a_refresh_while_a_hook_answers_comes_behind_it(site: Site, channel: str, backstage: Backstage) -> None:
    name = f"{PREFIX}puppet:{channel}"
    with site.ws(f"/views/ws/{channel}/") as ws:
        site.wait_subscribed(name, mode="ws")
        tell(ws, "wait", message="done")
        backstage.wait_notes(["waits"])
        site.publish(name, REFRESH)
        site.publish_ws(name, '"published"')
        backstage.open_gate()
        backstage.wait_notes(["refresh"])
        notes = [note for note in backstage.notes() if note[0] in ("waits", "refresh")]
        assert notes == [["waits"], ["refresh"]]
