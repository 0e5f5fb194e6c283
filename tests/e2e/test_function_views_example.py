"""The function-view example, on every engine, with real clients: its stream, its echo and its broadcast."""

from __future__ import annotations

import pytest

from .clients import receive
from .servers import ROOT, Project
from .sites import Site

EXAMPLE = Project(package="", directory=ROOT / "examples" / "function_views", ready="/")

pytestmark = [
    pytest.mark.site(project=EXAMPLE, env={"DJANGO_SETTINGS_MODULE": "tests.e2e.example_settings"}),
]


def token(site: Site) -> dict[str, str]:
    assert site.http.get("/").status_code == 200
    return {"X-CSRFToken": site.http.cookies["csrftoken"]}


def test_a_line_reaches_every_stream(site: Site) -> None:
    headers = token(site)
    with site.stream("/stream/") as one, site.stream("/stream/") as two:
        for stream in (one, two):
            stream.read_until("[stream open]\n")
        site.wait_subscribed("lines", mode="stream", count=2)
        assert site.http.post("/stream/", data={"line": "hello"}, headers=headers).text == "sent\n"
        for stream in (one, two):
            assert stream.read_until("hello\n").endswith(b"hello\n")
    assert site.http.post("/stream/", data={"line": "forged"}).status_code == 403


def test_an_echo_is_for_one_and_a_broadcast_for_all(site: Site) -> None:
    headers = token(site)
    with site.ws("/echo/") as one, site.ws("/echo/") as two:
        one.send("mine")
        two.send("yours")
        assert (receive(one), receive(two)) == ("mine", "yours")
        site.wait_subscribed("everybody", mode="ws", count=2)
        assert site.http.post("/broadcast/", data={"message": "for all"}, headers=headers).text == "sent\n"
        assert (receive(one), receive(two)) == ("for all", "for all")
        one.close(4000, "enough")
    assert one.close_code == 4000
