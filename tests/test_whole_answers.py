"""The embedded proxy asks our handler for an answer in one piece; it is the one that ASGI would bring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signals
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import path

from django_grip.handler import GripHandler
from django_grip.proxy.messages import AppFailure, AppRequest, AppResponse
from django_grip.proxy.shell.application import AppRun

from .test_handler import STACKS

SCOPE = {
    "type": "websocket",
    "path": "/",
    "raw_path": b"/",
    "client": ("127.0.0.1", 1),
    "server": ("testserver", 80),
}


def with_cookies(request: Any) -> HttpResponse:
    response = HttpResponse(request.body * 2, headers={"X-Name": "caf\xe9"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


def missing(request: Any) -> HttpResponse:
    raise Http404


def streamed(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse([b"a", b"b"])


def empty(request: Any) -> HttpResponse:
    return HttpResponse(status=204)


def failing(request: Any) -> HttpResponse:
    raise ValueError("no")


def make_async(view: Callable[..., Any]) -> Callable[..., Any]:
    async def run(request: Any) -> Any:
        return view(request)

    return run


@pytest.fixture(params=list(STACKS))
def application(request: pytest.FixtureRequest, settings: Any) -> Callable[..., Any]:
    settings.MIDDLEWARE = STACKS[request.param]

    def make(view: Callable[..., Any]) -> GripHandler:
        settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path("", view)]})
        return GripHandler()

    return make


async def run(application: Any, *, limit: int = 1000) -> AppResponse | AppFailure:
    answers: list[AppResponse | AppFailure] = []
    ask = AppRequest("POST", b"/", b"", [(b"host", b"testserver"), (b"content-length", b"2")], b"hi", "events")
    await AppRun(application, SCOPE, ask, answers.append, limit=limit).run()
    (answer,) = answers
    return answer


@pytest.mark.parametrize("view", [with_cookies, missing, streamed, empty, failing])
@pytest.mark.parametrize("kind", [lambda view: view, make_async], ids=["sync", "async"])
async def test_an_answer_in_one_piece_is_that_of_asgi(application: Any, view: Any, kind: Any) -> None:
    handler = application(kind(view))

    async def by_asgi(scope: Any, receive: Any, send: Any) -> None:
        await handler(scope, receive, send)

    assert await run(handler) == await run(by_asgi)


async def test_an_answer_of_too_many_bytes_is_a_failure(application: Any) -> None:
    handler = application(lambda request: HttpResponse(b"x" * 1001))
    assert await run(handler) == AppFailure("it sent a body of more than 1,000 bytes")


async def test_both_signals_are_sent_and_the_response_is_closed(application: Any) -> None:
    heard: list[str] = []

    def started(**named: Any) -> None:
        heard.append("started")

    def finished(**named: Any) -> None:
        heard.append("finished")

    def view(request: Any) -> HttpResponse:
        response = HttpResponse()
        response._resource_closers.append(lambda: heard.append("closed"))  # type: ignore[attr-defined]
        return response

    signals.request_started.connect(started)
    signals.request_finished.connect(finished)
    try:
        await run(application(view))
    finally:
        signals.request_started.disconnect(started)
        signals.request_finished.disconnect(finished)
    assert heard == ["started", "closed", "finished"]
    await run(application(view))
    assert heard == ["started", "closed", "finished", "closed"]


async def test_a_view_that_is_given_up_is_cancelled(application: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "django.request")
    begun, ended = asyncio.Event(), asyncio.Event()

    async def view(request: Any) -> HttpResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return HttpResponse()

    answers: list[AppResponse | AppFailure] = []
    ask = AppRequest("POST", b"/", b"", [(b"host", b"testserver")], b"", "events")
    asked = AppRun(application(view), SCOPE, ask, answers.append, limit=1000)
    asked.task = asyncio.create_task(asked.run())
    await begun.wait()
    asked.give_up(AppFailure("it did not answer", 504))
    await asked.task
    assert ended.is_set()
    assert answers == [AppFailure("it did not answer", 504)]
