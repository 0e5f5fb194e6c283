"""What comes back from the actions of a live WebSocket: answers, errors, and what no WebSocket can carry."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404

from . import socket_project
from .sockets import ask, opened, socket_urls, ticket

__all__ = ["socket_urls", "ticket"]

pytestmark = pytest.mark.django_db

SERVER_ERROR = {"type": "error", "status": 500, "errors": {"detail": "server error"}}


def response(status: int, data: Any) -> dict[str, Any]:
    return {"type": "response", "status": status, "data": data}


UNSENDABLE = [
    ("redirect", {}, "it is a redirect (302)"),
    ("stream", None, "it is a stream or a file"),
    ("file", None, "it is a stream or a file"),
    ("page", None, "it is text/html, not JSON"),
    ("torn", None, "its JSON is malformed"),
]


@pytest.mark.parametrize(("action", "data", "why"), UNSENDABLE)
def test_what_no_websocket_can_carry_is_told_so(grip_client: Any, action: str, data: Any, why: str) -> None:
    with opened(grip_client, "/api/odd/") as ws:
        text = f"The action's answer cannot travel over a WebSocket: {why}. Ask for it over HTTP."
        assert ask(ws, action, data=data) == {"type": "error", "status": 406, "errors": {"detail": text}}
        assert ask(ws, "plain") == response(200, {"plain": "JSON"})
    if action == "file":
        assert socket_project.OPENED.pop().closed


def test_a_plain_error_has_its_status(grip_client: Any) -> None:
    with opened(grip_client, "/api/odd/") as ws:
        assert ask(ws, "plain_error") == {"type": "error", "status": 409, "errors": {"detail": "Conflict"}}
        assert ask(ws, "empty") == response(200, None)


@pytest.mark.parametrize("action", ["fail", "nothing", "render"])
def test_a_failure_is_logged_and_answered_and_the_connection_stays(
    grip_client: Any, caplog: pytest.LogCaptureFixture, action: str
) -> None:
    grip_client.raise_request_exception = False
    with opened(grip_client, "/api/odd/") as ws:
        assert ask(ws, action) == SERVER_ERROR
        assert ask(ws, "plain") == response(200, {"plain": "JSON"})
    (record,) = [record for record in caplog.records if record.exc_info]
    assert (record.name, record.levelname) == ("django.request", "ERROR")
    assert record.getMessage() == f"Internal Server Error: /api/odd/{action}/ (the action {action})"


def test_a_failure_is_raised_in_a_test_as_that_of_a_view_is(grip_client: Any) -> None:
    ws = opened(grip_client, "/api/odd/")
    with pytest.raises(RuntimeError, match="a secret"):
        ws.send_json({"action": "fail"})


REFUSED = [
    (Http404("a secret"), 404, "Not found."),
    (PermissionDenied("a secret"), 403, "You do not have permission to perform this action."),
    (SuspiciousOperation("a secret"), 400, "Bad request."),
    (BadRequest("a secret"), 400, "Bad request."),
]


@pytest.mark.parametrize(("error", "status", "text"), REFUSED)
def test_what_is_raised_around_the_viewset_is_answered_as_over_http(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    with opened(grip_client, "/api/wrapped/") as ws:
        monkeypatch.setattr(socket_project, "RAISED", [error])
        assert ask(ws, "list") == {"type": "error", "status": status, "errors": {"detail": text}}


def test_an_answer_over_the_proxys_limit_is_told_and_nothing_is_lost(grip_client: Any) -> None:
    with opened(grip_client, "/api/odd/") as ws:
        assert len(ask(ws, "big", data={"size": 900_000})["data"]) == 900_000
        answer = ask(ws, "big", data={"size": 1_100_000})
        assert (answer["type"], answer["status"]) == ("error", 406)
        assert answer["errors"]["detail"].startswith("The action's answer cannot travel over a WebSocket: ")
        assert answer["errors"]["detail"].endswith(" Ask for it over HTTP, or for less.")
        assert ask(ws, "plain") == response(200, {"plain": "JSON"})


def test_the_viewsets_own_renderer_writes_the_answer(grip_client: Any) -> None:
    with opened(grip_client, "/api/upper/") as ws:
        assert ask(ws, "create", data={"title": "x"})["data"]["TITLE"] == "x"
        assert ask(ws, "create", data={}) == {
            "type": "error",
            "status": 400,
            "errors": {"TITLE": ["This field is required."]},
        }
    with opened(grip_client, "/api/vendor/") as ws:
        assert ask(ws, "create", data={"title": "x"})["data"]["title"] == "x"


def test_a_viewset_of_forms_and_pages_speaks_json_on_its_websocket(grip_client: Any) -> None:
    with opened(grip_client, "/api/form/") as ws:
        assert ask(ws, "create", data={"title": "x"})["data"]["title"] == "x"
        assert [each["title"] for each in ask(ws, "list")["data"]] == ["x"]
    with opened(grip_client, "/api/odd/") as ws:
        assert ask(ws, "form", data={"title": "x"}) == response(200, {"title": "x"})
        assert ask(ws, "html") == response(200, "<p>hello</p>")
