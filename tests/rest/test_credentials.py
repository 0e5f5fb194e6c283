"""Credentials that travel in links: what is in them, who reads it, and whom a fetch is answered as."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from django_grip.protocol.links import Link
from django_grip.request import GripData
from django_grip.rest.auth.authentication import live_authenticators
from django_grip.rest.auth.authority import MAX_CREDENTIAL, CredentialTooLong
from django_grip.rest.auth.credentials import find_restored, link_user, restore, seal_for_link
from django_grip.testing import GripClient

from .auth_project import AuthenticatedViewSet, ClientCertificateAuthentication, QueryKeyAuthentication

pytestmark = pytest.mark.django_db

PATH = "/api/token/"
STREAM = {"Accept": "text/event-stream"}
SECRET = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.fixture
def user() -> User:
    user = User.objects.create_user("ann", password="secret")
    Token.objects.create(user=user, key=SECRET)
    return user


class View:
    """As much of a live view as authentication sees."""

    def __init__(self, request: Any, *classes: Any, headers: Any = ("Authorization",)) -> None:
        self.request = request
        self.live_credential_headers = headers
        self._classes = classes

    def get_authenticators(self) -> list[Any]:
        return live_authenticators(self, [each() for each in self._classes])

    def initialize(self) -> Request:
        restore(self, self.request)
        return Request(self.request, authenticators=self.get_authenticators(), parser_context={"view": self})


def ask(*classes: Any, user: Any = None, headers: Any = ("Authorization",), path: str = PATH, **meta: Any) -> Request:
    """A client's request, as DRF has it. user: of the session."""
    request: Any = RequestFactory().get(path, **meta)
    request.grip, request.user = GripData(request), user or AnonymousUser()
    return View(request, *classes, headers=headers).initialize()


def fetch(data: dict[str, str], *classes: Any, user: Any = None, **meta: Any) -> Request:
    """The fetch of a link, as DRF has it. user: whom the link names, restored by the middleware."""
    request: Any = RequestFactory().get(PATH, **meta)
    request.grip, request.user = GripData(request), user or AnonymousUser()
    request.grip.link = Link("next", PATH, data=data)
    # A middleware may look at them, and Django keeps what was seen.
    assert "host" not in request.headers
    return View(request, *classes).initialize()


# -- what a link carries ----------------------------------------------------------------------------------------------


def test_a_token_travels_sealed_and_the_link_names_nobody(user: User) -> None:
    request = ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}")
    data = seal_for_link(request)
    assert list(data) == ["auth"]
    assert SECRET not in data["auth"]
    assert SECRET.encode() not in urlsafe_b64decode(data["auth"] + "==")
    assert link_user(request).is_anonymous
    # One fetch serves all clients of a token.
    assert data == seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}"))
    assert data != seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"token {SECRET}"))


@pytest.mark.parametrize("classes", [[SessionAuthentication], [SessionAuthentication, TokenAuthentication]])
def test_a_session_is_the_links_own_affair(user: User, classes: Any) -> None:
    request = ask(*classes, user=user, HTTP_AUTHORIZATION=f"Token {SECRET}")
    assert seal_for_link(request) == {}
    assert link_user(request) == user


def test_nobody_has_nothing_to_carry() -> None:
    request = ask(TokenAuthentication, SessionAuthentication)
    assert seal_for_link(request) == {}
    assert not link_user(request).is_authenticated


@pytest.mark.parametrize("class_", [ClientCertificateAuthentication, BasicAuthentication])
def test_a_header_that_is_added_to_all_requests_does_not_travel(user: User, class_: Any) -> None:
    basic = "Basic YW5uOnNlY3JldA=="
    data = seal_for_link(ask(class_, HTTP_AUTHORIZATION=basic, HTTP_X_CLIENT_NAME="ann"))
    again = fetch(data, class_)
    assert again.user == user
    assert "HTTP_AUTHORIZATION" not in again.META
    # For it is the user that travels, in whatever way it was told.
    assert data == seal_for_link(ask(QueryKeyAuthentication, path=f"{PATH}?key=ann"))


@pytest.mark.parametrize("headers", [["X-Client-Name"], ["Authorization", "X-Client-Name", "X-Absent"]])
def test_a_view_may_name_other_headers(user: User, headers: list[str]) -> None:
    data = seal_for_link(ask(ClientCertificateAuthentication, headers=headers, HTTP_X_CLIENT_NAME="ann"))
    again = fetch(data, ClientCertificateAuthentication)
    assert (again.headers["X-Client-Name"], again.user) == ("ann", user)
    assert again.successful_authenticator.__class__ is ClientCertificateAuthentication


def test_a_cookie_that_no_session_has_made_can_travel_too(user: User) -> None:
    class CookieAuthentication(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return (user, None) if request.COOKIES.get("jwt") == "abc" else None

    data = seal_for_link(ask(CookieAuthentication, headers=["Cookie"], HTTP_COOKIE="jwt=abc"))
    request: Any = RequestFactory().get(PATH)
    request.grip, request.user = GripData(request), AnonymousUser()
    request.grip.link = Link("next", PATH, data=data)
    assert request.COOKIES == {}  # which Django keeps
    again = View(request, CookieAuthentication).initialize()
    assert again.user == user
    assert type(again.successful_authenticator) is CookieAuthentication


def test_a_credential_that_is_too_long_is_told_with_its_size(user: User) -> None:
    token = AccessToken.for_user(user)
    token["padding"] = "x" * MAX_CREDENTIAL
    request = ask(QueryKeyAuthentication, path=f"{PATH}?key=ann", HTTP_AUTHORIZATION=f"Bearer {token}")
    with pytest.raises(CredentialTooLong, match=r"takes 2,\d\d\d characters; event streams and tickets carry 1,500"):
        seal_for_link(request)


def test_a_stream_of_such_a_credential_is_refused_when_it_is_opened(user: User) -> None:
    token = AccessToken.for_user(user)
    token["padding"] = "x" * MAX_CREDENTIAL
    client = GripClient()
    stream = client.stream("/api/jwt/", headers={**STREAM, "Authorization": f"Bearer {token}"})
    assert (stream.status_code, stream.held) == (431, False)
    assert b"Open a WebSocket instead, or use a shorter token." in stream.response.content
    assert client.get("/api/jwt/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_token_of_the_greatest_length_can_be_streamed(user: User) -> None:
    token = AccessToken.for_user(user)
    token["padding"] = "x" * 800
    while len(f"Bearer {token}") < MAX_CREDENTIAL - 2:
        token["padding"] += "x"
    client = GripClient()
    stream = client.stream("/api/jwt/", headers={**STREAM, "Authorization": f"Bearer {token}"})
    client.advance(2)
    assert stream.held


# -- whom a fetch is answered as --------------------------------------------------------------------------------------


def test_a_fetch_is_the_tokens_again_and_no_one_elses(user: User) -> None:
    other = User.objects.create_user("bob")
    data = seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}"))
    # Neither the link's user, nor what the proxy adds to all its requests, comes before it.
    again = fetch(data, SessionAuthentication, TokenAuthentication, user=other, HTTP_AUTHORIZATION="Token of-the-proxy")
    assert again.user == again._request.user == user
    assert again.auth.key == SECRET
    assert type(again.successful_authenticator) is TokenAuthentication
    # From link to link it is the same.
    assert seal_for_link(again) == data


def test_the_users_of_a_link_alone_is_the_sessions(user: User) -> None:
    again = fetch({}, SessionAuthentication, user=user)
    assert again.user == user
    assert seal_for_link(again) == {}


def test_a_credential_that_no_authenticator_takes_any_more_is_not_anonymous(user: User) -> None:
    data = seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}"))
    with pytest.raises(Exception, match="The credential that this stream was opened with is no longer accepted"):
        _ = fetch(data, SessionAuthentication).user


def test_the_views_own_authenticators_are_asked_before_the_user_is_believed(user: User) -> None:
    data = seal_for_link(ask(QueryKeyAuthentication, path=f"{PATH}?key=ann"))
    other = User.objects.create_user("bob")
    assert fetch(data, SessionAuthentication, user=other).user == user
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(Exception, match="The user who opened this stream is no longer logged in"):
        _ = fetch(data, SessionAuthentication).user


def test_nor_is_one_who_is_inactive_where_the_backend_would_let_them_in(user: User, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    data = seal_for_link(ask(QueryKeyAuthentication, path=f"{PATH}?key=ann"))
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(Exception, match="The user who opened this stream is no longer logged in"):
        _ = fetch(data, SessionAuthentication).user


@pytest.mark.parametrize("sealed", ["", "A", "AAAA" * 20, "é", "%", "\x00", "x" * 5000])
def test_a_seal_that_does_not_open_is_refused(user: User, sealed: str) -> None:
    request = fetch({"auth": sealed}, SessionAuthentication, user=user)
    with pytest.raises(Exception, match="does not open with this SECRET_KEY"):
        _ = request.user


def test_a_ticket_is_no_links_credential_nor_the_other_way_round(user: User) -> None:
    client = GripClient()
    response = client.post("/api/ticket/", {"path": PATH}, headers={"Authorization": f"Token {SECRET}"})
    ticket = response.json()["ticket"]
    with pytest.raises(Exception, match="does not open with this SECRET_KEY"):
        _ = fetch({"auth": ticket.partition(".")[2]}, TokenAuthentication).user
    sealed = seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}"))["auth"]
    stream = client.stream(f"{PATH}?ticket=grip-ticket.{sealed}", headers=STREAM)
    assert stream.status_code == 401
    assert b"The ticket is forged or damaged." in stream.response.content


def test_nothing_of_it_shows_in_a_repr(user: User) -> None:
    request = fetch(seal_for_link(ask(TokenAuthentication, HTTP_AUTHORIZATION=f"Token {SECRET}")), TokenAuthentication)
    assert SECRET not in repr(find_restored(request))


def test_a_plain_request_has_the_views_own_authenticators_alone() -> None:
    request = RequestFactory().get(PATH)
    view = View(request, TokenAuthentication)
    restore(view, request)
    assert [type(each) for each in view.get_authenticators()] == [TokenAuthentication]
    assert find_restored(request) is None


@pytest.mark.parametrize("request_of_view", [None, object()])
def test_a_view_without_a_request_has_its_own_alone(request_of_view: Any) -> None:
    assert View(request_of_view).get_authenticators() == []


# -- what a class may say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("live_credential_headers", "X-Key", "must be a list of names, not 'X-Key'."),
        ("live_credential_headers", [7], "must be a list of names, not [7]."),
        ("live_credential_headers", None, "must be a list of names, not None."),
        ("live_ticket_parameter", "", "must be the name of a query parameter or None, not ''."),
        ("live_ticket_parameter", False, "must be the name of a query parameter or None, not False."),
    ],
)
def test_a_class_that_cannot_work_is_refused(attribute: str, value: Any, text: str) -> None:
    viewset = type("Viewset", (AuthenticatedViewSet,), {attribute: value})
    with pytest.raises(ImproperlyConfigured, match=re.escape(f"Viewset.{attribute} {text}")):
        viewset.as_view({"get": "list"})


def test_no_header_need_travel() -> None:
    viewset = type("Viewset", (AuthenticatedViewSet,), {"live_credential_headers": (), "live_ticket_parameter": None})
    assert callable(viewset.as_view({"get": "list"}))
