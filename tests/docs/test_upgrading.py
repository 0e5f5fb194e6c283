"""What the pages say about errors is what the package says: each is provoked, and its text looked for in the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from django_grip import HttpStreamFormat, checks, embedded_transport, publish, set_hold_stream, websocket_only
from django_grip.exceptions import ChannelNameError, GripError, InstructError, NoProxy
from tests.fake_proxy import EVENTS_TYPE, OPEN, PROXIES, FakeProxy, proxied

from .pages import read


def said_on(page: str, text: str) -> bool:
    """Whether a page has a text, in whatever lines; an ellipsis stands for what differs."""
    words = " ".join(read(page).replace("`", "").split())
    return " ".join(text.split()) in words


@websocket_only
def socket(request: HttpRequest) -> None:
    request.wscontext.accept()  # type: ignore[attr-defined]


def stream(request: HttpRequest) -> HttpResponse:
    channels = [f"c{number}" for number in range(int(request.GET.get("channels", "1")))]
    response = HttpResponse()
    set_hold_stream(response, channels)
    return response


urlpatterns = [path("socket/", socket), path("stream/", stream)]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, GRIP_PROXIES=PROXIES):
        yield


def post(**options: Any) -> Any:
    headers = {**proxied(connection_id="c1"), **options.pop("headers", {})}
    data = {"path": "/socket/", "data": b"OPEN\r\n", "content_type": EVENTS_TYPE, "headers": headers, **options}
    return Client().post(**data)


def unsigned() -> Any:
    return post(headers={"grip-sig": "nonsense"})


def misspelt() -> Any:
    return post(content_type="Application/websocket-events")


def nameless() -> Any:
    return post(headers={"connection-id": ""})


def malformed() -> Any:
    return post(data=b"TEXT 5\r\nhe")


def foreign() -> Any:
    return FakeProxy("/socket/", origin="https://elsewhere.example").send(OPEN)


def plain() -> Any:
    return Client().get("/socket/")


def not_over_http() -> Any:
    return Client().get("/socket/", headers={**proxied(), "upgrade": "websocket"})


def direct() -> Any:
    with override_settings(GRIP_PROXY_REQUIRED=True):
        return Client().get("/stream/")


@pytest.mark.parametrize(
    ("provoke", "status", "pages"),
    [
        (unsigned, 403, ["upgrading.md", "security.md", "getting-started.md"]),
        (misspelt, 400, ["upgrading.md", "security.md"]),
        (nameless, 400, ["upgrading.md", "security.md"]),
        (malformed, 400, ["upgrading.md", "security.md"]),
        (foreign, 403, ["upgrading.md", "security.md", "getting-started.md"]),
        (plain, 400, ["getting-started.md"]),
        (not_over_http, 501, ["getting-started.md"]),
        (direct, 501, ["upgrading.md", "getting-started.md"]),
    ],
)
def test_a_refusal_says_what_the_pages_quote(provoke: Callable[[], Any], status: int, pages: list[str]) -> None:
    response = provoke()
    text = response.content.decode().strip()
    # What is behind a colon differs from case to case.
    quoted = re.sub(r"(GRIP protocol:).*", r"\1", text)
    assert response.status_code == status
    assert [page for page in pages if not said_on(page, quoted)] == [], text


def comma() -> None:
    set_hold_stream(HttpResponse(), "room, admin")


def too_many() -> None:
    Client().get("/stream/?channels=21", headers=proxied())


def none() -> None:
    Client().get("/stream/?channels=0", headers=proxied())


def nowhere() -> None:
    with override_settings(GRIP_PROXIES=[]):
        publish("room", HttpStreamFormat("x"))


@pytest.mark.parametrize(
    ("provoke", "error"),
    [(comma, ChannelNameError), (too_many, InstructError), (none, InstructError), (nowhere, NoProxy)],
)
def test_an_error_says_what_the_page_quotes(
    provoke: Callable[[], None], error: type[GripError], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is published in a test would otherwise reach the test kit.
    monkeypatch.setattr(embedded_transport, "_is_test_run", lambda: False)
    with pytest.raises(error) as caught:
        provoke()
    assert said_on("upgrading.md", f'{error.__name__} "{caught.value}"'), str(caught.value)


@pytest.mark.parametrize(
    ("settings", "id"),
    [
        ({"GRIP_PROXIES": [{"control_uri": "http://127.0.0.1:1"}]}, "grip.E002"),
        ({"GRIP_PROXIES": [*PROXIES, {"control_uri": "http://127.0.0.1:2"}]}, "grip.W007"),
    ],
)
def test_a_check_says_what_the_page_quotes(settings: dict[str, Any], id: str) -> None:
    with override_settings(**settings):
        message = next(message for message in checks.check_keys() if message.id == id)
    told = re.sub(r".*http://127\.0\.0\.1:\d ", "… ", message.msg)
    assert said_on("upgrading.md", f'{id} "{told}"'), told


@pytest.mark.needs("crypto")
def test_the_check_of_a_public_key_says_what_the_page_quotes() -> None:
    from django_grip.protocol.proxy_config import FASTLY_PUBLIC_KEY

    with override_settings(GRIP_PROXIES=[{"control_uri": "http://127.0.0.1:1", "verify_key": FASTLY_PUBLIC_KEY}]):
        message = next(message for message in checks.check_keys() if message.id == "grip.E004")
    told = re.sub(r".*http://127\.0\.0\.1:\d ", "… ", message.msg)
    assert said_on("upgrading.md", f'{message.id} "{told}"'), told
