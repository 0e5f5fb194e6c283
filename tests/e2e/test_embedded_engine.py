"""The embedded engine as a whole: its end, its way back, who may publish to it, and moving on to another engine."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from gripcontrol import GripPubControl, HttpStreamFormat
from pubcontrol import Item

from .embedded_site import EmbeddedSite
from .puppets import LIVE_SITE, PREFIX, ask, closing
from .pushpin_site import PushpinSite

pytestmark = LIVE_SITE

own_process = pytest.mark.embedded_only("it is about the proxy in the application's own process")


UNDER_DEBUG = pytest.mark.site(settings={"GRIP_PREFIX": PREFIX, "DEBUG": True})


def item(channel: str, text: str) -> dict[str, Any]:
    return {"items": [{"channel": f"{PREFIX}feed:{channel}", "formats": {"http-stream": {"content": text}}}]}


# -- the end -----------------------------------------------------------------------------------------------------------


@own_process
def test_a_server_that_ends_parts_with_everybody_and_ends_by_itself(own_site: EmbeddedSite, channel: str) -> None:
    own_site.http.post(f"/views/write/{channel}/", data={"text": "first"}).raise_for_status()
    with (
        own_site.ws(f"/views/ws/{channel}/") as ws,
        own_site.stream(f"/views/feed/{channel}/") as stream,
        own_site.in_background(
            own_site.http.get, f"/views/patient/{channel}/", headers={"If-None-Match": '"first"'}
        ) as waiting,
    ):
        assert ask(ws, "count") == 1
        stream.read_until("[open]\n")
        own_site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        own_site.app.stop()
        assert closing(ws)[0] in (1001, 1012)
        assert stream.ends_properly()
        assert waiting.result(60).status_code == 304
    log = own_site.app.log_text()
    assert "Finished server process" in log
    assert "Traceback" not in log


@own_process
def test_clients_come_back_to_a_server_that_was_killed(own_site: EmbeddedSite, channel: str) -> None:
    path, name = f"/views/ticker/{channel}/", f"{PREFIX}ticker:{channel}"
    with own_site.stream(path) as stream:
        own_site.wait_subscribed(name, mode="stream")
        own_site.app.kill()
        stream.read_to_end()
    own_site.app.start()
    with own_site.events(path, headers={"Last-Event-ID": "0"}) as events:
        own_site.wait_subscribed(name, mode="stream")
        own_site.http.post(f"/views/tick/{channel}/", data={"data": "back"}).raise_for_status()
        assert any(event.data == "back" for event in events)


# -- publishing --------------------------------------------------------------------------------------------------------


@own_process
def test_who_has_no_token_may_not_publish_nor_look(site: EmbeddedSite, channel: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {site.token}"}):
        for answer in (
            site.http.post("/.grip/publish/", json=item(channel, "forged"), headers=headers),
            site.http.get("/.grip/subscribers/", headers=headers),
        ):
            assert answer.status_code in (401, 403)
            assert "token" in answer.text


@own_process
@UNDER_DEBUG
def test_under_debug_programs_of_this_machine_may_publish_and_web_pages_may_not(
    site: EmbeddedSite, channel: str
) -> None:
    with site.stream(f"/views/feed/{channel}/") as stream:
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        for mark in (
            {"Origin": "https://evil.example"},
            {"Origin": site.url},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example"},
            {"X-Forwarded-For": "10.0.0.1"},
        ):
            refused = site.http.post("/.grip/publish/", json=item(channel, "forged\n"), headers=mark)
            assert refused.status_code in (400, 401, 403), mark
        site.http.post("/.grip/publish/", json=item(channel, "meant\n")).raise_for_status()
        assert stream.read_until("\n") == b"meant\n"


@own_process
def test_gripcontrol_publishes_with_the_token_as_its_key(site: EmbeddedSite, channel: str) -> None:
    with site.stream(f"/views/feed/{channel}/") as stream:
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        control = GripPubControl({"control_uri": site.control_url, "control_iss": "anybody", "key": site.token})
        control.publish(f"{PREFIX}feed:{channel}", Item(HttpStreamFormat("from gripcontrol\n")), blocking=True)
        control.close()
        assert stream.read_until("\n") == b"from gripcontrol\n"


@own_process
@UNDER_DEBUG
@pytest.mark.needs("pushpin")
def test_pushpin_s_own_tool_publishes_under_debug(site: EmbeddedSite, channel: str) -> None:
    """It knows no tokens."""
    with site.stream(f"/views/feed/{channel}/") as stream:
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        command = ["pushpin-publish", "--spec", site.control_url, f"{PREFIX}feed:{channel}", "from the shell"]
        subprocess.run(command, check=True, timeout=60)
        assert stream.read_until("\n") == b"from the shell\n"


# -- moving on ---------------------------------------------------------------------------------------------------------


@pytest.mark.asgi_only("it is about moving from the embedded engine to Pushpin")
@pytest.mark.site(asgi="uvicorn-handler")
def test_the_same_asgi_py_serves_behind_pushpin(site: PushpinSite, channel: str) -> None:
    with site.ws(f"/views/ws/{channel}/") as ws, site.stream(f"/views/async-feed/{channel}/") as stream:
        assert [ask(ws, "count"), ask(ws, "count")] == [1, 2]
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        answer = site.http.post(f"/views/async-feed/{channel}/", content="news", headers=site.csrf())
        assert answer.text == "published\n"
        assert stream.read_until("\n") == b"news\n"
    # There is no embedded proxy beside it, and what is below /.grip/ are links to Django.
    assert site.direct.get("/.grip/subscribers/").status_code == 403
    assert site.direct.get(f"/views/feed/{channel}/").status_code == 501
