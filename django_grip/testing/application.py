"""The project, as the proxy of a test asks it: through Django's own test handlers, with nothing that a client adds."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client
from django.test.client import FakePayload

from ..proxy.http.instructions import has_instruct
from ..proxy.messages import AppFailure, AppRequest, AppResponse, Headers, first_of
from .requests import find_defaults

__all__ = ["Answer", "Application", "AsyncApplication"]


class Answer(NamedTuple):
    """What the project answered, as Django has it and as the proxy takes it; and what a view raised, if one did.

    message: None for a response that was not read, as it is none of the proxy's business.
    """

    response: Any
    message: AppResponse | AppFailure | None
    exception: Exception | None


def _other_defaults(client: Client) -> dict[str, Any]:
    return {name: value for name, value in find_defaults(client).items() if not name.startswith("HTTP_")}


def _read_environ(headers: Headers) -> dict[str, str]:
    """Headers as WSGI has them."""
    environ: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}" if key in environ else text
    return environ


class Application(Client):
    """Asks a sync stack. owner: the client whose handler and defaults are used."""

    def __init__(self, owner: Client, *, secure: bool) -> None:
        super().__init__(raise_request_exception=False, **_other_defaults(owner))
        self.handler = owner.handler
        self._raises = owner.raise_request_exception
        self._secure = secure

    def _base_environ(self, **request: Any) -> dict[str, Any]:
        environ: dict[str, Any] = super()._base_environ(**request)  # type: ignore[misc]
        if "HTTP_COOKIE" not in request:
            # Cookies are the connection's, as it began; this object's own are nobody's.
            del environ["HTTP_COOKIE"]
        return environ

    def ask(self, ask: AppRequest, *, whole: bool) -> Answer:
        """Make one request. whole: read the body even of a response that says nothing to the proxy."""
        try:
            response: Any = self.request(
                REQUEST_METHOD=ask.method,
                PATH_INFO=unquote_to_bytes(ask.path).decode("latin-1"),
                QUERY_STRING=ask.query.decode("latin-1"),
                SERVER_PORT="443" if self._secure else "80",
                **{
                    "wsgi.url_scheme": "https" if self._secure else "http",
                    "wsgi.input": FakePayload(ask.body),
                    "CONTENT_LENGTH": str(len(ask.body)) if ask.body else "",
                    **_read_environ(ask.headers),
                },
            )
            headers = _read_headers(response)
            body = b"".join(response) if whole or has_instruct(headers) else None
        except Exception as error:  # noqa: BLE001 - a response may raise as it is read; Django may be told to let through
            return _fail(error, raises=self._raises)
        return _build_answer(response, headers, body, raises=self._raises)


class AsyncApplication(AsyncClient):
    """Asks an async stack."""

    def __init__(self, owner: AsyncClient, *, secure: bool) -> None:
        super().__init__(raise_request_exception=False)
        self.handler = owner.handler
        self._raises = owner.raise_request_exception
        self._secure = secure

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        return {"asgi": {"version": "3.0"}, "type": "http", "http_version": "1.1", **request}

    async def aask(self, ask: AppRequest, *, whole: bool) -> Answer:
        """Make one request. whole: read the body even of a response that says nothing to the proxy."""
        headers = [(name.lower(), value) for name, value in ask.headers]
        if ask.body and first_of(headers, b"content-length") is None:
            headers.append((b"content-length", b"%d" % len(ask.body)))
        try:
            response: Any = await self.request(
                method=ask.method,
                path=unquote(ask.path.decode("latin-1")),
                raw_path=ask.path,
                query_string=ask.query,
                scheme="https" if self._secure else "http",
                client=["127.0.0.1", 0],
                server=("testserver", "443" if self._secure else "80"),
                headers=headers,
                _body_file=FakePayload(ask.body),
            )
            headers = _read_headers(response)
            body = await _read(response) if whole or has_instruct(headers) else None
        except Exception as error:  # noqa: BLE001 - a response may raise as it is read; Django may be told to let through
            return _fail(error, raises=self._raises)
        return _build_answer(response, headers, body, raises=self._raises)


async def _read(response: HttpResponseBase) -> bytes:
    if response.streaming:
        return b"".join([part async for part in response])  # type: ignore[attr-defined]
    return b"".join(response)


def _read_headers(response: HttpResponseBase) -> Headers:
    pairs = [(name, value) for name, value in response.items()]
    pairs += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _fail(error: Exception, *, raises: bool) -> Answer:
    return Answer(None, AppFailure(f"the application raised {type(error).__name__}", 500), error if raises else None)


def _build_answer(response: Any, headers: Headers, body: bytes | None, *, raises: bool) -> Answer:
    exception = response.exc_info[1] if raises and response.exc_info else None
    message = None if body is None else AppResponse(response.status_code, headers, body)
    return Answer(response, message, exception)
