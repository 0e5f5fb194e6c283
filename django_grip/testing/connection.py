"""What every connection of a test has: an exchange of the proxy's core, and what its client has got of it so far."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections
from django.http import HttpResponse, SimpleCookie
from django.http.response import HttpResponseBase

from ..conf import grip_settings
from ..proxy.effects import Effect
from ..proxy.exchange import Exchange
from ..proxy.messages import AppRequest, Headers
from .errors import NotOpened
from .in_process import proxy

if TYPE_CHECKING:
    from django.test import AsyncClient, Client

    from .application import Answer, Application, AsyncApplication

__all__ = ["Connection"]

# Channels of this package's own making: a test is not about them.
_OWN_CHANNELS = ("grip:connection:", "grip:silent", "grip:guard:")
# Of Django's response, what its assertions and a curious test look at.
_OF_DJANGO = ("wsgi_request", "asgi_request", "templates", "context", "resolver_match", "request", "exc_info")


class Connection:
    """One connection of a test. What happened to it is noted, for the message of a test that fails.

    home: the thread on which the application is asked; None for an async connection.
    """

    is_async: ClassVar[bool] = False
    kind: ClassVar[str]

    def __init__(
        self, client: Client | AsyncClient, exchange: Exchange, application: Application | AsyncApplication, path: str
    ) -> None:
        self.client = client
        self.exchange = exchange
        self.application: Any = application
        self.path = path
        self.home = None if self.is_async else threading.get_ident()
        self._answer: HttpResponseBase | None = None
        self._django_response: Any = None
        self._story: list[str] = []
        self._is_dropped = False
        self._published_before = len(proxy.published)

    # -- between the proxy and the project -------------------------------------------------------------------------

    def reads_whole(self, ask: AppRequest) -> bool:
        """Whether the body of the answer is read, whatever its headers say."""
        return True

    def take_answer(self, ask: AppRequest, answer: Answer, now: float) -> None:
        """Hand the project's answer to the exchange."""
        status = answer.response.status_code if answer.response is not None else "an exception"
        self._story.append(f"the view was asked ({self._describe(ask)}) and answered {status}")
        if ask.purpose in ("open", "replay"):
            self._django_response = answer.response
        if ask.purpose != "gone" and answer.message is not None:
            self.exchange.receive_response(answer.message, now)

    def _describe(self, ask: AppRequest) -> str:
        return f"{ask.method}, {ask.purpose}"

    def take_effects(self) -> None:
        """Take what the client gets."""
        while (effect := self.exchange.next_effect()) is not None:
            self.take_effect(effect)

    def take_effect(self, effect: Effect) -> None:
        raise NotImplementedError

    def drop(self) -> None:
        """The test is over."""
        self._is_dropped = True
        self.exchange.engine.forget(self.exchange)

    # -- what a test sees ------------------------------------------------------------------------------------------

    @property
    def status_code(self) -> int:
        """Of the answer."""
        return self.response.status_code

    @property
    def response(self) -> HttpResponse:
        """The answer, as the client got it, with what Django's test client puts on a response."""
        self._look()
        if self._answer is None:
            raise self._not_answered()
        return self._answer  # type: ignore[return-value]

    def _not_answered(self) -> AssertionError:
        return NotOpened(f"{self} has not been answered.{self._tell()}")

    @property
    def channels(self) -> set[str]:
        """What it is subscribed to, without GRIP_PREFIX, and without channels of this package's own."""
        return {name for name in self._all_channels() if not name.startswith(_OWN_CHANNELS)}

    def _all_channels(self) -> set[str]:
        self._look()
        prefix = grip_settings().prefix
        return {name.removeprefix(prefix) for name in self.exchange.engine.hub.channels_of(self.exchange)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    def __str__(self) -> str:
        return f"The {self.kind} {self.path}"

    # -- for those who derive --------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Before anything is looked at: let what is under way come to its end."""
        if not self.is_async and self.home == threading.get_ident():
            proxy.settle()

    def _check_use(self) -> None:
        if self._is_dropped:
            raise NotOpened(f"{self} was dropped when its test ended.")

    def _keep_answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Make the answer that the client got, and let the client keep its cookies."""
        response = build_response(status, headers, body)
        donor = self._django_response
        for name in _OF_DJANGO:
            if hasattr(donor, name):
                setattr(response, name, getattr(donor, name))
        response.client = self.client  # type: ignore[attr-defined]
        response.json = partial(self.client._parse_json, response)  # type: ignore[attr-defined, union-attr]
        self._answer = response
        if response.cookies:
            self.client.cookies.update(response.cookies)

    def _tell(self) -> str:
        """What happened, for the message of a test that fails."""
        prefix = grip_settings().prefix
        lines = list(self._story[-8:])
        channels = ", ".join(sorted(map(repr, self.channels)))
        lines.append(f"it is subscribed to {channels or 'no channel'}")
        published = [name.removeprefix(prefix) for name in proxy.published[self._published_before :]]
        since = ", ".join(dict.fromkeys(map(repr, published))) if published else "nothing"
        lines.append(f"published since it began: {since}")
        if any(connection.run_on_commit for connection in connections.all(initialized_only=True)):
            lines.append("on_commit was used: in a TestCase that takes captureOnCommitCallbacks(execute=True)")
        if self.exchange.deadline is not None:
            lines.append(f"due next: in {max(0.0, self.exchange.deadline - proxy.now):g} s of the proxy's clock")
        return "".join(f"\n  - {line}" for line in lines)


def build_response(status: int, headers: Headers, body: bytes) -> HttpResponse:
    """A response of Django's, with exactly these headers."""
    response = HttpResponse(body, status=status)
    del response.headers["Content-Type"]
    for name, value in headers:
        text = value.decode("latin-1")
        if name.lower() == b"set-cookie":
            _add_cookies(response.cookies, text)
        else:
            key = name.decode("latin-1").title()
            response.headers[key] = f"{response.headers[key]}, {text}" if key in response.headers else text
    return response


def _add_cookies(cookies: SimpleCookie, text: str) -> None:
    received: SimpleCookie = SimpleCookie(text)
    for name, morsel in received.items():
        cookies[name] = morsel.value
        cookies[name].update(morsel)


def phrase(status: int) -> str:
    """A status with its name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def shorten(messages: Iterable[object]) -> str:
    return ", ".join(repr(message)[:80] for message in messages)
