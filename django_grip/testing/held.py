"""What streams and long-polls of a test have in common: an HTTP request whose answer may be held."""

from __future__ import annotations

from typing import Any

from ..proxy.effects import Effect, Respond
from ..proxy.http.exchange import HttpExchange
from ..proxy.messages import AppRequest
from .connection import Connection, phrase
from .errors import NotOpened
from .in_process import proxy

__all__ = ["HeldConnection"]


class HeldConnection(Connection):
    """A client's HTTP request, and what became of it. hold: the mode it should be held in."""

    exchange: HttpExchange
    hold: str

    # -- between the proxy and the project -------------------------------------------------------------------------

    def reads_whole(self, ask: AppRequest) -> bool:
        # What is not for the proxy is given to the test as Django made it, and may be a stream without an end.
        return ask.purpose != "open"

    def take_answer(self, ask: AppRequest, answer: Any, now: float) -> None:
        super().take_answer(ask, answer, now)
        if answer.message is None:
            self._answer = answer.response
            if answer.response.cookies:
                self.client.cookies.update(answer.response.cookies)
            self.exchange.pass_through()

    def take_effect(self, effect: Effect) -> None:
        if isinstance(effect, Respond):
            self._keep_answer(effect.status, effect.headers, effect.body)

    # -- what a test sees ------------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether the proxy holds it open."""
        self._look()
        return self.exchange.mode == self.hold

    # -- steps -----------------------------------------------------------------------------------------------------

    def _check_held(self) -> None:
        """Raises: NotOpened, when it is not held as it should be."""
        self._check_use()
        if self.exchange.mode == self.hold:
            return
        if self.exchange.mode:
            other = {"stream": "a stream: open it with stream()", "response": "a long-poll: open it with longpoll()"}
            raise NotOpened(f"{self} is held as {other[self.exchange.mode]}.{self._tell()}")
        answered = "not answered" if self._answer is None else f"answered with {phrase(self._answer.status_code)}"
        raise NotOpened(f"{self} is not held; it was {answered}.{self._tell()}")

    def _push_leave(self) -> None:
        self._check_use()
        if not self.exchange.done:
            self._story.append("the client has left")
            proxy.feed(self, self.exchange.client_gone)

    def _abandon(self) -> None:
        """Leave without a word, as when the test has failed already."""
        with proxy.lock:
            if not self.exchange.done:
                self.exchange.finish()
                self.exchange.take_asks()
