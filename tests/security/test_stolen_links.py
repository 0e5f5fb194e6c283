"""An attacker with a link that the proxy alone should follow."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin

from django_grip.conf import derive_keys
from django_grip.protocol.links import Link, build_link_token
from django_grip.views import LongPollView, StreamView, WebSocketView

from ..fake_proxy import FEATURES, grip_sig, proxied
from ..views.conftest import body_of, instructions
from ..views.users import accounts, make_session, make_user, users

pytestmark = pytest.mark.usefixtures("accounts")

__all__ = ["accounts"]


class Inbox(LoginRequiredMixin, StreamView):
    raise_exception = True

    def get_channels(self):
        return [f"inbox:{self.request.user.pk}"]

    def on_open(self):
        return f"secrets of {self.request.user.get_username()}"

    def on_message(self, message):
        raise AssertionError

    def on_close(self):
        closed.append(self.request.user.pk)


closed: list = []


@pytest.fixture
def links(routes, http):
    """The next and the gone link of a user's stream."""
    closed.clear()
    routes.add("inbox/", Inbox)
    routes.add("other/", Inbox)
    http.cookies["sessionid"] = make_session(make_user("ann"))
    response = http.get("/inbox/", headers={"grip-sig": grip_sig(), "grip-feature": f"{FEATURES}, link:gone"})
    assert body_of(response) == b"secrets of ann"
    del http.cookies["sessionid"]
    uris = [part.partition(">")[0] for part in response["Grip-Link"].split("<")[1:]]
    return dict(zip(["next", "gone"], uris, strict=True))


def is_refused(response):
    """Refused, or ended: no hold, nothing of the user's, no hook called."""
    return (
        response.get("Grip-Hold") is None
        and "inbox:" not in str(response.items())
        and b"ann" not in body_of(response)
        and not closed
    )


def test_the_proxy_follows_it(links, http):
    response = http.get(links["next"], headers=proxied())
    assert response["Grip-Channel"].startswith("inbox:1")
    assert http.post(links["gone"], headers=proxied()).status_code == 200
    assert closed == [1]


@pytest.mark.parametrize("kind", ["next", "gone"])
def test_as_a_page_it_is_worth_nothing(links, http, kind):
    """The token may be read in a proxy's log; whoever opens it comes without the proxy's signature."""
    for method in ("get", "post"):
        response = getattr(http, method)(links[kind])
        assert response.status_code == 403
        assert is_refused(response)


@pytest.mark.parametrize("header", ["cookie", "origin", "referer", "sec-fetch-mode"])
def test_as_a_page_through_the_proxy_it_is_worth_nothing(links, http, header):
    """A client may send the path through the proxy, which signs it like any other; browsers give themselves away."""
    assert is_refused(http.get(links["next"], headers={**proxied(), header: "x"}))


def test_with_another_users_session_it_is_worth_nothing(links, http):
    http.cookies["sessionid"] = make_session(make_user("mallory", pk=2))
    assert is_refused(http.get(links["next"], headers=proxied()))


def test_on_another_path_it_is_worth_nothing(links, http):
    moved = links["next"].replace("/inbox/", "/other/")
    assert is_refused(http.get(moved, headers=proxied()))


@pytest.mark.parametrize(
    ("kind", "method"), [("next", "post"), ("gone", "get"), ("next", "head"), ("gone", "put"), ("next", "delete")]
)
def test_by_another_method_it_is_worth_nothing(links, http, kind, method):
    assert is_refused(getattr(http, method)(links[kind], headers=proxied()))


def test_when_the_user_is_gone_or_has_another_password_it_is_worth_nothing(links, http):
    users[1].password = "!another"
    assert is_refused(http.get(links["next"], headers=proxied()))
    users[1].is_active = False
    assert is_refused(http.get(links["next"], headers=proxied()))
    users.clear()
    assert is_refused(http.post(links["gone"], headers=proxied()))


def test_changed_it_is_worth_nothing(links, http):
    head, _, token = links["next"].rstrip("/").rpartition("/")
    parts = token.split(".")
    for forged in (
        "",
        ".",
        "..",
        "x",
        token[:-2],
        f"{token}x",
        token.upper(),
        f"{parts[0]}.{parts[1]}.",
        f".{parts[1]}.{parts[2]}",
        f"{parts[0]}.{parts[1][:-1]}.{parts[2]}",
        f"{token}/{token}",
    ):
        assert is_refused(http.get(f"{head}/{forged}/", headers=proxied()))


def make_link(**fields):
    link = Link(**{"kind": "next", "path": "/inbox/", "expires": int(time.time()) + 60, **fields})
    return lambda key: f"/inbox/.grip/{build_link_token(link, key)}/"


def test_one_of_the_attackers_own_is_worth_nothing(links, http):
    for key in (b"secret", b"\0" * 32, derive_keys("state")[0]):
        assert is_refused(http.get(make_link(user={"pk": "1", "hash": ""})(key), headers=proxied()))


def test_an_expired_one_is_worth_nothing(links, http):
    link = make_link(expires=int(time.time()) - 1)(derive_keys("links")[0])
    assert is_refused(http.get(link, headers=proxied()))


def test_a_signed_link_without_a_user_has_nobodys_authority(links, http):
    response = http.get(make_link()(derive_keys("links")[0]), headers=proxied())
    assert is_refused(response)


@pytest.mark.parametrize("view", [WebSocketView, LongPollView])
def test_a_link_to_a_view_that_makes_none_opens_nothing(routes, http, view):
    class Other(view):
        channels = ["all"]

        def get_etag(self):
            return "v1"

        def get_payload(self):
            return "public"

    routes.add("inbox/", Other)
    response = http.get(make_link()(derive_keys("links")[0]), headers=proxied())
    assert response.status_code in (200, 400, 403)
    assert instructions(response).get("Grip-Hold") is None
