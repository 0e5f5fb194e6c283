"""Messages of which the application takes a part: the proxy keeps the rest, and brings it again."""

from __future__ import annotations

import pytest
from websockets.sync.client import ClientConnection

from .clients import receive
from .plain import PLAIN_SITE
from .puppets import LIVE_SITE, PREFIX, closing
from .sites import Site

pytestmark = [pytest.mark.since_pushpin("1.41"), LIVE_SITE]


def told(ws: ClientConnection) -> tuple[str, list[str]]:
    """How many bytes the proxy said it brought again, and the messages of the request."""
    replayed, _, contents = receive(ws).partition(" ")
    # As long as there were none Pushpin says nothing.
    return ("0" if replayed == "None" else replayed), contents.split("|")


# -- by hand -----------------------------------------------------------------------------------------------------------


@PLAIN_SITE
def test_messages_that_were_not_taken_come_again_before_the_next_one(site: Site) -> None:
    with site.ws("/sip/") as ws:
        for message in ("4:a1", "4:b2", "4:c3!"):
            ws.send(message)
        # In how many requests they came is the proxy's to say.
        assert told(ws)[1] == ["4:a1", "4:b2", "4:c3!"]
        ws.send("4:d4!")
        assert told(ws) == ("9", ["4:b2", "4:c3!", "4:d4!"])
        ws.send("10:e!")
        assert told(ws) == ("10", ["4:c3!", "4:d4!", "10:e!"])


@PLAIN_SITE
def test_what_was_taken_comes_never_again(site: Site) -> None:
    with site.ws("/sip/") as ws:
        for message in ("9:a1", "4:b2!", "4:c3!"):
            ws.send(message)
            if message.endswith("!"):
                contents = told(ws)[1]
                assert contents[-1] == message
        assert contents == ["4:c3!"]


@PLAIN_SITE
def test_a_message_may_be_taken_in_part(site: Site) -> None:
    with site.ws("/sip/") as ws:
        ws.send("2:6:abc!")
        assert told(ws) == ("0", ["2:6:abc!"])
        ws.send("4:x!")
        assert told(ws) == ("6", ["6:abc!", "4:x!"])
        ws.send("8:y!")
        assert told(ws) == ("4", ["4:x!", "8:y!"])


@PLAIN_SITE
def test_who_takes_more_than_there_is_loses_the_connection(site: Site) -> None:
    with site.ws("/sip/") as ws:
        ws.send("999:x!")
        assert closing(ws)[0] in (1006, 1011)


@PLAIN_SITE
def test_a_client_that_closes_is_answered_though_not_all_was_taken(site: Site) -> None:
    with site.ws("/sip/") as ws:
        ws.send("4:a1!")
        assert told(ws)[1] == ["4:a1!"]
        ws.close(4001)
    assert ws.close_code == 4001


# -- by the package: a view that does not read all ---------------------------------------------------------------------


def test_messages_that_a_view_has_not_read_come_again(site: Site, channel: str) -> None:
    with site.ws(f"/newer/sips/{channel}/") as ws:
        for message in ("one", "two", "three"):
            ws.send(message)
        heard = [receive(ws)]
        for message in ("four", "five", "six"):
            ws.send(message)
            heard.append(receive(ws))
        assert heard == ["one", "two", "three", "four"]


def test_a_refresh_brings_what_was_not_read(site: Site, channel: str) -> None:
    name = f"{PREFIX}newer:{channel}"
    with site.ws(f"/newer/sips/{channel}/") as ws:
        site.wait_subscribed(name, mode="ws")
        for message in ("one", "two", "three"):
            ws.send(message)
        assert receive(ws) == "one"
        for message in ("two", "three"):
            site.publish(name, {"ws-message": {"action": "refresh"}})
            assert receive(ws) == message
