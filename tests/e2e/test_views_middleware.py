"""Class-based views with all of Django's own middleware around them."""

from __future__ import annotations

import pytest

from .puppets import PREFIX, ask, logged_in, open_as
from .sites import Site

# GripMiddleware in the middle: it is right in any place.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django_grip.GripMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]

pytestmark = [
    pytest.mark.site(
        settings={
            "GRIP_PREFIX": PREFIX,
            "SESSION_ENGINE": "django.contrib.sessions.backends.db",
            "MIDDLEWARE": MIDDLEWARE,
        }
    ),
]


@pytest.mark.parametrize("view", ["ws", "async-ws"])
def test_a_websocket_opens_speaks_and_hears(site: Site, channel: str, view: str) -> None:
    with logged_in(site, "ada") as ada, open_as(site, f"/views/{view}/{channel}/?do=dress", ada) as ws:
        assert [ask(ws, "count"), ask(ws, "count")] == [1, 2]
        assert ask(ws, "tell")["user"] == "ada"
        site.wait_subscribed(f"{PREFIX}puppet:{channel}", mode="ws")
        assert ask(ws, "publish", message="news") == "news"
        assert "seat=7; Path=/" in ws.response.headers.get_all("Set-Cookie")


def test_a_refusal_s_body_is_readable(site: Site, channel: str) -> None:
    answer = site.http.get(f"/views/ws/{channel}/")
    assert (answer.status_code, answer.text) == (400, "Request must contain WebSocket events.\n")


@pytest.mark.parametrize("view", ["feed", "async-feed"])
def test_a_stream_is_held_twice_and_never_from_a_cache(site: Site, channel: str, view: str) -> None:
    path = f"/views/{view}/{channel}/"
    for number in range(2):
        with site.stream(path, headers={"If-None-Match": '"any"', "Accept-Encoding": "gzip"}) as stream:
            assert stream.read_until("[open]\n") == b"[open]\n"
            site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
            site.http.post(path, content=f"n{number}", headers=site.csrf()).raise_for_status()
            assert stream.read_until("\n") == b"n%d\n" % number
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream", count=0)


@pytest.mark.parametrize("view", ["patient", "hashed"])
def test_a_long_poll_waits_and_is_answered(site: Site, channel: str, view: str) -> None:
    path = f"/views/{view}/{channel}/"
    # Long enough for GZip, which makes an ETag a weak one.
    site.http.post(f"/views/write/{channel}/", data={"text": "first" * 100}).raise_for_status()
    first = site.http.get(path, headers={"Accept-Encoding": "gzip"})
    assert "first" in first.text
    with site.in_background(site.http.get, path, headers={"If-None-Match": first.headers["ETag"]}) as waiting:
        site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        site.http.post(f"/views/write/{channel}/", data={"text": "second"}).raise_for_status()
        assert "second" in waiting.result(60).text
