"""Tickets: what makes them, what they open, and what they do not."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import get_script_prefix, set_script_prefix
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

from django_grip.exceptions import UsageError
from django_grip.protocol.seal import seal
from django_grip.protocol.tickets import TICKET_MARK, hide_tickets
from django_grip.rest import make_ticket
from django_grip.rest.auth.authority import MAX_CREDENTIAL
from django_grip.rest.auth.tickets import MAX_PATH, TICKET_AGE, find_ticket
from django_grip.testing import GripClient

pytestmark = pytest.mark.django_db

PATH = "/api/token/"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann", password="secret")


@pytest.fixture
def token(user: User) -> str:
    key: str = Token.objects.create(user=user).key
    return key


@pytest.fixture
def client(user: User) -> GripClient:
    client = GripClient()
    client.force_login(user)
    return client


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time by which tickets are made and judged; a test may move it."""
    clock = SimpleNamespace(time=time.time())
    monkeypatch.setattr("django_grip.rest.auth.tickets.time", SimpleNamespace(time=lambda: clock.time))
    return clock


def get_ticket(client: Client, path: str = PATH, **headers: str) -> str:
    response = client.post("/api/ticket/", {"path": path}, content_type="application/json", headers=headers)
    assert response.status_code == 200, response.content
    ticket: str = response.json()["ticket"]
    return ticket


def make_request(ticket: str, path: str = PATH, method: str = "get", **meta: Any) -> Any:
    return getattr(RequestFactory(), method)(f"{path}?ticket={ticket}", **meta)


def judge(ticket: str, *, is_stream: bool = True, **options: Any) -> str | None:
    """What is wrong with a ticket in a request, or None."""
    found = find_ticket(object(), make_request(ticket, **options))
    assert found is not None
    try:
        found.check(is_stream=is_stream)
    except Exception as error:  # noqa: BLE001 - its text is what is asked for
        return str(error)
    return None


# -- LiveTicketView --------------------------------------------------------------------------------------------------


def test_a_user_gets_a_ticket_that_nobody_stores(client: GripClient) -> None:
    response = client.post("/api/ticket/", {"path": PATH}, content_type="application/json")
    assert response.json() == {"ticket": response.json()["ticket"], "expires_in": 60}
    assert response["Cache-Control"] == "no-store"
    assert judge(response.json()["ticket"]) is None


def test_anonymous_gets_none() -> None:
    response = GripClient().post("/api/ticket/", {"path": PATH}, content_type="application/json")
    assert response.status_code == 401


def test_a_wrong_token_gets_none() -> None:
    response = GripClient().post("/api/ticket/", {"path": PATH}, headers={"Authorization": "Token nonsense"})
    assert response.status_code == 401


def test_a_page_of_another_site_gets_none_by_the_cookie(user: User) -> None:
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.post("/api/ticket/", {"path": PATH}, content_type="application/json")
    assert (response.status_code, response.json()) == (403, {"detail": "CSRF Failed: CSRF cookie not set."})


def test_a_get_is_refused(client: GripClient) -> None:
    assert client.get("/api/ticket/").status_code == 405


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("api/token/", "The path of a ticket is one of this site, such as '/api/tickets/'."),
        ("https://evil.example/api/", "The path of a ticket is one of this site, such as '/api/tickets/'."),
        ("//evil.example/api/", "The path of a ticket is one of this site, such as '/api/tickets/'."),
        ("/api/?a=b", "The path of a ticket is a path alone: no query, no fragment, no blanks or control characters."),
        ("/api/#a", "The path of a ticket is a path alone: no query, no fragment, no blanks or control characters."),
        ("/api\\x/", "The path of a ticket is a path alone: no query, no fragment, no blanks or control characters."),
        ("/api/\r\nx", "The path of a ticket is a path alone: no query, no fragment, no blanks or control characters."),
        (" /api/", "The path of a ticket is one of this site, such as '/api/tickets/'."),
        ("/api/.grip/x/", "The path of a ticket must not have '/.grip/' in it."),
        ("/" + "a" * MAX_PATH, "Ensure this field has no more than 1000 characters."),
        ("/api/\x00", "Null characters are not allowed."),
        ("", "This field may not be blank."),
        (None, "This field may not be null."),
        (["/api/"], "Not a valid string."),
        ({}, "Not a valid string."),
    ],
)
def test_a_path_that_is_none_is_told_as_a_field_error(client: GripClient, path: Any, text: str) -> None:
    response = client.post("/api/ticket/", {"path": path}, content_type="application/json")
    assert response.status_code == 400
    assert text in response.json()["path"]


@pytest.mark.parametrize("body", ["{}", "[]", "null", "7", '"x"'])
def test_a_body_without_a_path_is_a_400(client: GripClient, body: str) -> None:
    assert client.post("/api/ticket/", body, content_type="application/json").status_code == 400


def test_a_token_that_is_too_long_for_an_address_is_told(user: User) -> None:
    long = AccessToken.for_user(user)
    long["padding"] = "x" * MAX_CREDENTIAL
    response = GripClient().post("/api/ticket/", {"path": PATH}, headers={"Authorization": f"Bearer {long}"})
    assert response.status_code == 431
    assert response.json()["detail"].endswith(
        "event streams and tickets carry 1,500 at the most. Open a WebSocket instead, or use a shorter token."
    )


# -- make_ticket -----------------------------------------------------------------------------------------------------


def test_a_django_view_can_make_one(user: User) -> None:
    request = RequestFactory().get("/page/")
    request.user = user
    assert judge(make_ticket(request, PATH)) is None


@pytest.mark.parametrize("nobody", [AnonymousUser(), None])
def test_none_is_made_for_nobody(nobody: Any) -> None:
    request = RequestFactory().get("/page/")
    request.user = nobody
    with pytest.raises(PermissionDenied, match="A ticket is made for a user, and this request has none"):
        make_ticket(request, PATH)


@pytest.mark.parametrize("path", [None, 7, b"/api/", "", "api", "//a", "/" * 2, "/a b", "/" + "a" * MAX_PATH])
def test_none_is_made_for_what_is_no_path(user: User, path: Any) -> None:
    request = RequestFactory().get("/page/")
    request.user = user
    with pytest.raises(UsageError, match="The path of a ticket"):
        make_ticket(request, path)


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("/api/caf%C3%A9/", "/api/caf%C3%A9/"),
        ("/api/café/", "/api/caf%C3%A9/"),
        ("/api/a%2Fb/", "/api/a/b/"),
        ("/api/%74oken/", "/api/token/"),
    ],
)
def test_a_path_may_be_spelled_in_any_way_that_is_the_same(user: User, path: str, opened: str) -> None:
    request = RequestFactory().get("/page/")
    request.user = user
    assert judge(make_ticket(request, path), path=opened) is None


def test_a_path_is_as_the_browser_has_it_where_the_project_is_mounted_below_one(user: User) -> None:
    request = RequestFactory().get("/page/")
    request.user = user
    before = get_script_prefix()
    try:
        ticket = make_ticket(request, "/mounted/api/token/")
        assert judge(ticket, SCRIPT_NAME="/mounted") is None
        assert judge(ticket) == "The ticket is for another path."
    finally:
        set_script_prefix(before)


# -- what a ticket is good for ---------------------------------------------------------------------------------------


def test_a_ticket_is_good_for_a_minute(client: GripClient, now: SimpleNamespace) -> None:
    now.time = 1_000_000.0
    ticket = get_ticket(client)
    now.time += TICKET_AGE - 0.5
    assert judge(ticket) is None
    now.time += 0.5
    assert judge(ticket) == "The ticket is stale: it opens a stream for 60 seconds. Get another one."


@pytest.mark.parametrize("path", ["/api/token", "/api/token/1/", "/api/session/", "/", "/API/token/", "/api/tokeń/"])
def test_a_ticket_is_good_for_its_path_only(client: GripClient, path: str) -> None:
    assert judge(get_ticket(client), path=path) == "The ticket is for another path."


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "head"])
def test_a_ticket_is_good_for_nothing_but_a_get(client: GripClient, method: str) -> None:
    text = f"A ticket opens an event stream by GET, not by {method.upper()}."
    assert judge(get_ticket(client), method=method) == text


def test_a_ticket_is_good_for_nothing_but_a_stream(client: GripClient) -> None:
    text = "A ticket opens an event stream (Accept: text/event-stream), and nothing else."
    assert judge(get_ticket(client), is_stream=False) == text


def flip(ticket: str, index: int) -> str:
    """The ticket with one bit of what it says changed."""
    sealed = ticket.removeprefix(TICKET_MARK)
    raw = bytearray(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    raw[index] ^= 1
    return TICKET_MARK + urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda ticket: TICKET_MARK,
        lambda ticket: ticket[:-1],
        lambda ticket: ticket[: len(TICKET_MARK) + 8],
        lambda ticket: ticket[: len(ticket) // 2],
        lambda ticket: ticket + "A",
        lambda ticket: ticket + "AAAA",
        lambda ticket: ticket + ticket,
        lambda ticket: TICKET_MARK + ticket,
        lambda ticket: flip(ticket, 0),
        lambda ticket: flip(ticket, 15),
        lambda ticket: flip(ticket, 16),
        lambda ticket: flip(ticket, -1),
        lambda ticket: TICKET_MARK + "A" * 5000,
        lambda ticket: TICKET_MARK + "é",
        lambda ticket: TICKET_MARK + "%ED%A0%80",
        lambda ticket: TICKET_MARK + "%00",
        lambda ticket: TICKET_MARK + seal('{"p":"/api/token/","x":9999999999}', b"k" * 32),
        lambda ticket: TICKET_MARK + urlsafe_b64encode(b'{"p":"/api/token/"}' * 3).decode(),
    ],
)
def test_a_ticket_that_is_not_ours_is_refused(client: GripClient, damage: Callable[[str], str]) -> None:
    assert judge(damage(get_ticket(client))) == "The ticket is forged or damaged."


@pytest.mark.parametrize("facts", [{}, {"k": "user"}, {"k": "root", "v": {}}, {"k": "user", "v": []}])
def test_a_seal_of_ours_that_says_something_else_is_no_ticket(facts: Any) -> None:
    from django_grip.conf import derive_keys

    text = json.dumps({"p": PATH, "x": 9999999999, **facts})
    for purpose in ("ticket", "credential", "session", "links"):
        forged = TICKET_MARK + seal(text, derive_keys(purpose)[0])
        assert judge(forged) == "The ticket is forged or damaged."


@pytest.mark.parametrize("value", ["", "7", "undefined", "null", "grip-ticket", "Grip-Ticket.x", "é"])
@pytest.mark.parametrize("is_stream", [True, False])
def test_what_does_not_look_like_one_is_left_to_other_authenticators(value: str, is_stream: bool) -> None:
    assert judge(value, is_stream=is_stream) is None


def test_the_secret_key_may_be_rotated(client: GripClient, settings: Any) -> None:
    ticket = get_ticket(client)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" * 8
    assert judge(ticket) is None
    settings.SECRET_KEY_FALLBACKS = []
    assert judge(ticket) == "The ticket is forged or damaged."


# -- where a ticket is not seen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("ticket={}", ""),
        ("page=2&ticket={}&q=a%20b+c", "page=2&q=a%20b+c"),
        ("%74icket={}&a", "a"),
        ("a=%26&ticket={}", "a=%26"),
        ("ticket={}&ticket={}", ""),
        ("ticket=x&a=1&ticket={}", "a=1"),
        ("tickets=1&ticket={}&tick=2", "tickets=1&tick=2"),
    ],
)
def test_a_ticket_is_taken_out_of_the_url(client: GripClient, query: str, left: str) -> None:
    ticket = get_ticket(client)
    url = f"{PATH}?{query.replace('{}', ticket)}"
    request: Any = RequestFactory().get(url, RAW_URI=url, REQUEST_URI=url)
    assert request.GET  # which Django keeps
    assert find_ticket(object(), request) is not None
    shown = f"{PATH}?{left}" if left else PATH
    assert request.get_full_path() == request.META["RAW_URI"] == request.META["REQUEST_URI"] == shown
    assert request.META["QUERY_STRING"] == left
    assert "ticket" not in request.GET
    everything = f"{request} {request.META} {request.__dict__} {request.build_absolute_uri()}"
    assert ticket not in everything


def test_a_ticket_is_taken_out_of_what_an_asgi_server_logs(client: GripClient) -> None:
    ticket = get_ticket(client)
    request = make_request(ticket)
    request.scope = {"query_string": f"ticket={ticket}&a=1".encode()}
    request.META["QUERY_STRING"] = f"ticket={ticket}&a=1"
    find_ticket(object(), request)
    assert request.scope["query_string"] == b"a=1"


@pytest.mark.parametrize("query", ["ticket={}&ticket={}", "ticket=7&ticket={}", "ticket={}&ticket=7"])
def test_two_tickets_are_none(client: GripClient, query: str) -> None:
    request = RequestFactory().get(f"{PATH}?{query.replace('{}', get_ticket(client))}")
    found = find_ticket(object(), request)
    assert found is not None
    with pytest.raises(Exception, match="There is more than one ticket"):
        found.check(is_stream=True)


@pytest.mark.parametrize("query", ["", "ticket", "tickets=7", "TICKET=7", "a=ticket"])
def test_a_query_without_one_is_left_alone(query: str) -> None:
    request = RequestFactory().get(f"{PATH}?{query}")
    found = find_ticket(object(), request)
    assert found is None or not found.is_marked
    assert request.META["QUERY_STRING"] == query


def test_a_view_may_name_the_parameter_otherwise_or_have_none(client: GripClient) -> None:
    request = RequestFactory().get(f"{PATH}?ticket=7&key={get_ticket(client)}")
    assert find_ticket(SimpleNamespace(live_ticket_parameter=None), request) is None
    found = find_ticket(SimpleNamespace(live_ticket_parameter="key"), request)
    assert found is not None
    assert found.authority is not None
    assert request.META["QUERY_STRING"] == "ticket=7"


def test_neither_a_ticket_nor_what_is_in_it_shows_in_a_repr(client: GripClient, token: str) -> None:
    ticket = get_ticket(GripClient(), Authorization=f"Token {token}")
    assert token not in ticket
    assert token.encode() not in urlsafe_b64decode(ticket.removeprefix(TICKET_MARK) + "==")
    found = find_ticket(object(), make_request(ticket))
    assert token not in repr(found)
    assert ticket not in repr(found)


def test_a_ticket_fits_the_request_line_of_servers(user: User) -> None:
    token = AccessToken.for_user(user)
    token["padding"] = "x" * 920
    assert 1_400 < len(f"Bearer {token}") <= MAX_CREDENTIAL
    path = "/" + "p" * (MAX_PATH - 1)
    ticket = get_ticket(GripClient(), path, Authorization=f"Bearer {token}")
    assert len(f"GET {path}?ticket={ticket} HTTP/1.1") < 4_094  # gunicorn's


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (b"/a?ticket=grip-ticket.abc-_9", b"/a?ticket=grip-ticket...."),
        (b"ticket=grip-ticket.abc&b=2 HTTP/1.1", b"ticket=grip-ticket....&b=2 HTTP/1.1"),
        (b"k=grip-ticket.a%20b&l=grip-ticket.c#d", b"k=grip-ticket....&l=grip-ticket....#d"),
        (b"/a?ticket=7", b"/a?ticket=7"),
        (b"", b""),
    ],
)
def test_a_log_shows_that_there_was_a_ticket_and_not_which(url: bytes, shown: bytes) -> None:
    assert hide_tickets(url) == shown
