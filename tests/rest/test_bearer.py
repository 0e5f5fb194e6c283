"""The subprotocol ``bearer.<token>``, from the request's header to its Authorization."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.views.debug import SafeExceptionReporterFilter
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed, ParseError, Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken

from django_grip.rest.auth.authentication import live_authenticators
from django_grip.rest.auth.bearer import restore_bearer
from django_grip.rest.auth.credentials import restore

from .project import TicketViewSet
from .sockets import ask, opened


class DeviceAuthentication(TokenAuthentication):
    keyword = "Device"


class SilentAuthentication(BaseAuthentication):
    """Reads the header and names no scheme."""

    def authenticate(self, request: Any) -> None:
        return None


class SessionThatNamesAScheme(SessionAuthentication):
    """As many write it, for a 401 in place of a 403."""

    def authenticate_header(self, request: Any) -> str:
        return "Session"


def make_view(*classes: type[BaseAuthentication]) -> Any:
    own = [each() for each in classes]
    return SimpleNamespace(get_authenticators=lambda: own, subprotocols=["grip.live", "a", "b"])


def make_request(protocols: str | None, **meta: Any) -> Any:
    if protocols is not None:
        meta["HTTP_SEC_WEBSOCKET_PROTOCOL"] = protocols
    request: Any = RequestFactory().post("/", **meta)
    request.wscontext = SimpleNamespace(meta={})
    return request


@pytest.mark.parametrize(
    ("classes", "authorization"),
    [
        ([TokenAuthentication], "Token abc.D-_~1"),
        ([JWTAuthentication], "Bearer abc.D-_~1"),
        ([DeviceAuthentication], "Device abc.D-_~1"),
        ([BasicAuthentication, SessionThatNamesAScheme, JWTAuthentication], "Bearer abc.D-_~1"),
        ([DeviceAuthentication, SessionThatNamesAScheme], "Device abc.D-_~1"),
        ([SessionAuthentication], "Bearer abc.D-_~1"),
        ([BasicAuthentication], "Bearer abc.D-_~1"),
        ([SilentAuthentication], "Bearer abc.D-_~1"),
        ([], "Bearer abc.D-_~1"),
    ],
)
def test_the_token_gets_the_scheme_of_the_authenticators(classes: Any, authorization: str) -> None:
    request = make_request("grip.live, bearer.abc.D-_~1")
    assert restore_bearer(make_view(*classes), request) is None
    assert request.META["HTTP_AUTHORIZATION"] == authorization


@pytest.mark.parametrize(
    ("protocols", "left"),
    [
        ("grip.live, bearer.s3cret", "grip.live"),
        ("bearer.s3cret,grip.live", "grip.live"),
        ("  a ,\tbearer.s3cret , b", "a, b"),
        ("a, BEARER.s3cret", "a"),
        ("a,, bearer.s3cret,", "a"),
    ],
)
def test_the_token_is_left_out_of_the_subprotocols(protocols: str, left: str) -> None:
    request = make_request(protocols)
    assert request.headers["Sec-WebSocket-Protocol"] == protocols
    assert restore_bearer(make_view(TokenAuthentication), request) is None
    assert request.META["HTTP_SEC_WEBSOCKET_PROTOCOL"] == request.headers["Sec-WebSocket-Protocol"] == left
    assert request.headers["Authorization"] == "Token s3cret"
    assert "s3cret" not in str(SafeExceptionReporterFilter().get_safe_request_meta(request))


@pytest.mark.parametrize("protocols", [None, "", "grip.live", "a, b", "bearer", "bearers.x", "x-bearer.y"])
def test_subprotocols_without_a_token_are_left_alone(protocols: str | None) -> None:
    request = make_request(protocols)
    before = dict(request.META)
    assert restore_bearer(make_view(TokenAuthentication), request) is None
    assert before == request.META


@pytest.mark.parametrize(
    ("protocols", "text"),
    [
        ("bearer.s3cret", "Offer another subprotocol beside that of the token, such as 'grip.live'"),
        ("bearer.s3cret, ", "Offer another subprotocol beside that of the token, such as 'grip.live'"),
        ("soap, bearer.s3cret", "Offer another subprotocol beside that of the token, such as 'grip.live'"),
        ("a, bearer.s3cret, bearer.s3cret", "There is more than one subprotocol that begins with 'bearer.'"),
        ("a, bearer.s3cret, Bearer.other", "There is more than one subprotocol that begins with 'bearer.'"),
        ("a, bearer.", "The subprotocol 'bearer.' has no token."),
        ("a, bearer.s3cret x", "The token behind 'bearer.' has characters that no subprotocol may have."),
        ("a, bearer.s3cret==", "The token behind 'bearer.' has characters that no subprotocol may have."),
        ("a, bearer.s3cret\xe9", "The token behind 'bearer.' has characters that no subprotocol may have."),
        ("a, bearer.s3cret\x00", "The token behind 'bearer.' has characters that no subprotocol may have."),
    ],
)
def test_a_bad_one_is_told_without_showing_it(protocols: str, text: str) -> None:
    request = make_request(protocols)
    error = restore_bearer(make_view(TokenAuthentication), request)
    assert isinstance(error, ParseError)
    assert text in str(error)
    assert "HTTP_AUTHORIZATION" not in request.META
    assert "s3cret" not in str(request.META) + str(error) + repr(error)


def test_a_view_that_chooses_by_itself_may_choose_any() -> None:
    class Choosing:
        def get_authenticators(self) -> list[BaseAuthentication]:
            return [TokenAuthentication()]

        def get_subprotocol(self, offered: list[str]) -> str:
            return offered[0]

    request = make_request("soap, bearer.s3cret")
    assert restore_bearer(Choosing(), request) is None


def test_a_view_that_speaks_none_is_told_to_have_one() -> None:
    view = make_view(TokenAuthentication)
    view.subprotocols = []
    error = restore_bearer(view, make_request("grip.live, bearer.s3cret"))
    assert "one that the view has among its subprotocols" in str(error)


def test_the_first_authenticator_tells_what_is_wrong() -> None:
    request = make_request("a, bearer.", HTTP_AUTHORIZATION="Token of-another")
    view = SimpleNamespace(request=request)
    view.get_authenticators = lambda: live_authenticators(view, [TokenAuthentication()])
    restore(view, request)
    with pytest.raises(ParseError, match="has no token"):
        _ = Request(request, authenticators=view.get_authenticators()).user


def test_the_page_that_names_a_token_is_believed_before_a_header_that_a_browser_adds() -> None:
    request = make_request("a, bearer.s3cret", HTTP_AUTHORIZATION="Basic c3RhZ2luZzpwYXNz")
    restore(make_view(TokenAuthentication), request)
    assert request.META["HTTP_AUTHORIZATION"] == "Token s3cret"


def test_a_second_time_nothing_changes() -> None:
    request = make_request("a, bearer.s3cret")
    restore(make_view(TokenAuthentication), request)
    before = dict(request.META)
    restore(make_view(JWTAuthentication), request)
    assert before == request.META


def test_a_plain_request_keeps_the_header() -> None:
    request = make_request("a, bearer.s3cret")
    request.wscontext = None
    restore(make_view(TokenAuthentication), request)
    assert "HTTP_AUTHORIZATION" not in request.META


@pytest.mark.django_db
@pytest.mark.parametrize(
    "classes", [[TokenAuthentication, JWTAuthentication], [JWTAuthentication, TokenAuthentication]]
)
def test_of_several_kinds_of_tokens_each_finds_its_authenticator(classes: Any) -> None:
    user = User.objects.create_user("ann")
    tokens = {"Token": Token.objects.create(user=user).key, "Bearer": str(AccessToken.for_user(user))}
    for scheme, token in tokens.items():
        request = make_request(f"grip.live, bearer.{token}")
        assert restore_bearer(make_view(*classes), request) is None
        assert request.META["HTTP_AUTHORIZATION"] == f"{scheme} {token}"


@pytest.mark.django_db
def test_what_none_of_several_knows_is_left_to_the_last() -> None:
    request = make_request("grip.live, bearer.nonsense")
    assert restore_bearer(make_view(TokenAuthentication, JWTAuthentication), request) is None
    assert request.META["HTTP_AUTHORIZATION"] == "Bearer nonsense"


def test_an_authenticator_that_refuses_for_another_reason_is_not_the_one() -> None:
    class Throttling(DeviceAuthentication):
        def authenticate(self, request: Any) -> None:
            raise Throttled(3)

    request = make_request("grip.live, bearer.abc")
    assert restore_bearer(make_view(Throttling, JWTAuthentication), request) is None
    assert request.META["HTTP_AUTHORIZATION"] == "Bearer abc"


class CountingAuthentication(BaseAuthentication):
    """Counts wrong keys, as one does that locks out who guesses them."""

    wrong = 0

    def authenticate_header(self, request: Any) -> str:
        return "Key"

    def authenticate(self, request: Any) -> None:
        if request.META.get("HTTP_AUTHORIZATION", "").startswith("Key "):
            type(self).wrong += 1
            raise AuthenticationFailed


@pytest.mark.django_db
def test_whose_token_it_is_is_found_once_for_a_connection(
    grip_client: Any, routes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class View(TicketViewSet):
        authentication_classes = [CountingAuthentication, TokenAuthentication]
        permission_classes = [IsAuthenticated]

    monkeypatch.setattr(CountingAuthentication, "wrong", 0)
    token = Token.objects.create(user=User.objects.create_user("ann"))
    protocols = ["grip.live", f"bearer.{token.key}"]
    with opened(grip_client, routes.add(View), subprotocols=protocols) as ws:
        assert CountingAuthentication.wrong == 1
        assert [ask(ws, "list")["status"] for _ in range(3)] == [200, 200, 200]
        assert CountingAuthentication.wrong == 1
        # It is asked of the one that knows it, every time.
        token.delete()
        ws.send_json({"action": "list"})
        assert ws.close_code == 4401
    assert CountingAuthentication.wrong == 1
    assert grip_client.websocket("/api/tickets/", subprotocols=protocols).status_code == 401


@pytest.mark.django_db
def test_a_scheme_that_the_view_has_no_longer_is_found_anew() -> None:
    request = make_request("grip.live, bearer.abc")
    request.wscontext.meta["grip-bearer-scheme"] = "Basic"
    assert restore_bearer(make_view(DeviceAuthentication, JWTAuthentication), request) is None
    assert request.wscontext.meta == {"grip-bearer-scheme": "Bearer"}
    assert request.META["HTTP_AUTHORIZATION"] == "Bearer abc"
