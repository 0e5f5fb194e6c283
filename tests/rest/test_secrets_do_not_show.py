"""Neither a ticket nor a token shows where others look: links, logs, error reports, the view itself."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from django.test import AsyncRequestFactory, RequestFactory
from django.views.debug import ExceptionReporter
from rest_framework.authtoken.models import Token

from django_grip.handler import GripHandler
from django_grip.testing import GripClient

from .auth_project import EitherViewSet
from .models import Ticket

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}
SECRET = "0123456789abcdef" * 2


class Recorder:
    """A middleware around all others: notes what the proxy is told, and what it then asks for."""

    links: list[str]
    fetched: list[str]

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        self.fetched.append(request.get_full_path())
        response = self.get_response(request)
        self.links.append(response.get("Grip-Link", ""))
        return response


@pytest.fixture(autouse=True)
def recorder(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    settings.ROOT_URLCONF = "tests.rest.auth_project"
    settings.MIDDLEWARE = [f"{__name__}.Recorder", *settings.MIDDLEWARE]
    monkeypatch.setattr(Recorder, "links", [], raising=False)
    monkeypatch.setattr(Recorder, "fetched", [], raising=False)
    return Recorder


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """The reports of errors as they are mailed to admins, and as a page."""
    found: list[str] = []

    def report(request: Any, **kwargs: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)  # type: ignore[arg-type]
        found.extend([str(reporter.get_traceback_text()), str(reporter.get_traceback_html())])

    got_request_exception.connect(report)
    yield found
    got_request_exception.disconnect(report)


@pytest.fixture
def client() -> GripClient:
    user = User.objects.create_user("ann")
    Token.objects.create(user=user, key=SECRET)
    return GripClient(raise_request_exception=False)


def get_ticket(client: GripClient) -> str:
    headers = {"Authorization": f"Token {SECRET}"}
    ticket: str = client.post("/api/ticket/", {"path": "/api/either/"}, headers=headers).json()["ticket"]
    return ticket


def read_token(link: str) -> str:
    """What somebody who gets hold of a link can read of it: its token is signed, not sealed."""
    payload = re.search(r"/\.grip/[^.]+\.([^.]+)\.", link)
    assert payload is not None
    return urlsafe_b64decode(payload[1] + "==").decode()


def test_links_have_neither(client: GripClient, recorder: type[Recorder]) -> None:
    ticket = get_ticket(client)
    stream = client.stream(f"/api/either/?ticket={ticket}&page=1", headers=STREAM)
    client.stream("/api/either/", headers={**STREAM, "Authorization": f"Token {SECRET}"})
    client.advance(2)
    client.advance(61)
    assert stream.held
    links = [link for link in recorder.links if link]
    assert len(links) == 6
    shown = "".join([*links, *map(read_token, links), *recorder.fetched[1:]])
    assert '"q":"page=1"' in shown
    assert SECRET not in shown
    assert ticket not in shown.replace(recorder.fetched[1], "")


def test_logs_have_neither(client: GripClient, caplog: pytest.LogCaptureFixture) -> None:
    ticket = get_ticket(client)
    with caplog.at_level(logging.DEBUG):
        for value in (ticket, ticket[:-2], ticket + "x"):
            client.stream(f"/api/either/?ticket={value}", headers=STREAM)
            client.get(f"/api/either/?ticket={value}")
            client.websocket(f"/api/either/?ticket={value}", subprotocols=["grip.live"])
        for offered in (["grip.live", f"bearer.{SECRET}"], [f"bearer.{SECRET}"], ["a", "bearer.x", f"bearer.{SECRET}"]):
            client.websocket("/api/either/", subprotocols=offered)
        Token.objects.all().delete()
        client.advance(61)
    mine = [record for record in caplog.records if not record.name.startswith(("django.db", "asyncio"))]
    assert mine
    text = "\n".join(record.getMessage() for record in mine)
    assert SECRET not in text
    assert ticket[:40] not in text


def test_gunicorn_s_access_log_has_no_ticket(client: GripClient) -> None:
    glogging, config = pytest.importorskip("gunicorn.glogging"), pytest.importorskip("gunicorn.config")
    ticket = get_ticket(client)
    url = f"/api/either/?a=1&ticket={ticket}"
    # The environ that gunicorn makes, and that it has still when it writes its log.
    environ = RequestFactory().get(url, RAW_URI=url, headers=STREAM).environ
    WSGIHandler()(environ, lambda status, headers: None).close()
    atoms = glogging.Logger(config.Config()).atoms(SimpleNamespace(status="501", headers=[]), [], environ, timedelta())
    assert atoms["r"] == "GET /api/either/?a=1 HTTP/1.1"
    assert ticket not in str(atoms)


@pytest.mark.parametrize("handler", [ASGIHandler, GripHandler])
def test_the_access_log_of_an_asgi_server_has_no_ticket(client: GripClient, handler: type[ASGIHandler]) -> None:
    request = AsyncRequestFactory().get(f"/api/either/?a=1&ticket={get_ticket(client)}", headers=STREAM)
    begun: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            begun.append(scope["query_string"])

    scope = request.scope
    messages = iter([{"type": "http.request", "body": b""}])

    async def receive() -> Any:
        message = next(messages, None)
        return message if message is not None else await asyncio.Event().wait()

    # Here and not in an async test, whose views would run on another thread than its database.
    async_to_sync(handler())(scope, receive, send)
    assert begun == [b"a=1"]


class _Boom(Exception):
    pass


def test_error_reports_have_neither(client: GripClient, reports: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = get_ticket(client)
    Ticket.objects.create(title="one")

    def fail(*args: Any, **kwargs: Any) -> None:
        raise _Boom

    monkeypatch.setattr(EitherViewSet, "filter_queryset", fail)
    monkeypatch.setattr(EitherViewSet, "get_live_channels", fail)
    assert client.stream(f"/api/either/?ticket={ticket}", headers=STREAM).status_code == 500
    socket = client.websocket("/api/either/", subprotocols=["grip.live", f"bearer.{SECRET}"])
    assert not socket.accepted
    assert len(reports) == 4
    for report in reports:
        assert "_Boom" in report
        assert SECRET not in report
        assert ticket[:40] not in report


def test_the_answer_to_a_handshake_does_not_show_the_token(client: GripClient) -> None:
    socket = client.websocket("/api/either/", subprotocols=[f"bearer.{SECRET}", "grip.live"])
    assert socket.subprotocol == "grip.live"
    assert SECRET not in str(socket.response.headers)
