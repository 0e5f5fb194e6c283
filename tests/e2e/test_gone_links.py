"""Gone links: a view is told when its stream has ended, whoever ended it."""

from __future__ import annotations

import pytest

from .backstage import Backstage
from .clients import open_stream
from .puppets import LIVE_SITE, PREFIX, change, logged_in
from .sites import Site

pytestmark = [pytest.mark.since_pushpin("1.41"), LIVE_SITE]


@pytest.fixture
def backstage(site: Site, channel: str) -> Backstage:
    return Backstage(site, channel)


@pytest.mark.parametrize("view", ["watched", "async-watched"])
def test_on_close_is_called_when_the_client_leaves(site: Site, channel: str, backstage: Backstage, view: str) -> None:
    with site.stream(f"/newer/{view}/{channel}/", params={"tab": "3"}) as stream:
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}newer:{channel}", mode="stream")
        assert backstage.notes() == [["open", "", "3"]]
    backstage.wait_notes(["close", "", "3"])


def test_on_close_is_called_when_the_stream_is_closed_from_outside(
    site: Site, channel: str, backstage: Backstage
) -> None:
    with site.stream(f"/newer/watched/{channel}/") as stream:
        site.wait_subscribed(f"{PREFIX}newer:{channel}", mode="stream")
        site.publish(f"{PREFIX}newer:{channel}", {"http-stream": {"action": "close"}})
        assert stream.read_to_end() == b"[open]\n"
    backstage.wait_notes(["close", "", ""])


def test_each_stream_is_told_of_once_and_by_itself(site: Site, channel: str, backstage: Backstage) -> None:
    path = f"/newer/watched/{channel}/"
    tabs = [str(number) for number in range(5)]
    for tab in tabs:
        with site.stream(path, params={"tab": tab}) as stream:
            stream.read_until("[open]\n")
        backstage.wait_notes(["close", "", tab])
    closes = [note for note in backstage.notes() if note[0] == "close"]
    assert closes == [["close", "", tab] for tab in tabs]


def test_a_stream_that_was_refused_does_not_close(site: Site, channel: str, backstage: Backstage) -> None:
    path = f"/newer/watched/{channel}/"
    assert site.http.get(path, params={"full": "1", "tab": "refused"}).status_code == 503
    with site.stream(path) as stream:
        stream.read_until("[open]\n")
    backstage.wait_notes(["close", "", ""])
    assert backstage.notes() == [["open", "", "refused"], ["open", "", ""], ["close", "", ""]]


def test_a_stream_that_is_asked_for_again_meanwhile_closes_once(site: Site, channel: str, backstage: Backstage) -> None:
    with site.stream(f"/newer/watched-events/{channel}/"):
        backstage.wait_count(["next", "", ""], 2)
    backstage.wait_notes(["close", "", ""])
    assert backstage.notes().count(["close", "", ""]) == 1


def test_on_close_knows_the_user(site: Site, channel: str, backstage: Backstage) -> None:
    path = f"/newer/watched-member/{channel}/"
    with logged_in(site, f"ada-{channel}") as ada, open_stream(ada, path) as stream:
        stream.read_until("[open]\n")
    backstage.wait_notes(["close", f"ada-{channel}", ""])


def test_on_close_is_not_called_in_the_name_of_somebody_who_may_not_any_more(
    site: Site, channel: str, backstage: Backstage
) -> None:
    path, goes, stays = f"/newer/watched-member/{channel}/", f"goes-{channel}", f"stays-{channel}"
    with logged_in(site, goes) as one, logged_in(site, stays) as two:
        with open_stream(one, path) as first:
            first.read_until("[open]\n")
            change(site, goes, "deactivate")
        with open_stream(two, path) as second:
            second.read_until("[open]\n")
        backstage.wait_notes(["close", stays, ""])
    assert ["close", goes, ""] not in backstage.notes()


def test_a_function_view_is_told_by_a_link_of_its_own(site: Site, channel: str, backstage: Backstage) -> None:
    with site.stream(f"/newer/by-hand/{channel}/") as stream:
        stream.read_until("[open]\n")
    backstage.wait_notes(["gone", "POST", {"seat": "7"}])
