"""All requests to the application that are under way, so that none is lost sight of and all can be ended."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextvars import Context

from ..messages import AppFailure, AppRequest, AppResponse, show_path
from ..options import ProxyOptions
from .application import AppRun, ASGIApplication
from .responses import Scope

__all__ = ["GRACE", "Runs"]

logger = logging.getLogger("django_grip")

GRACE = 0.5
"""Seconds that the application has to end what it does when the server ends, before and after it is cancelled."""


class Runs:
    """Asks the application, each time in a task of its own.

    All have the same time to answer, so they run out of it in the order in which they began, and one timer does. It has
    no contextvars: what follows for one client must not have those of another, who was the first to be waited for.
    """

    def __init__(self, application: ASGIApplication, options: ProxyOptions) -> None:
        self._application = application
        self._options = options
        # In the order in which they began, each with the time at which it is given up.
        self._runs: dict[AppRun, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._runs)

    def ask(
        self,
        loop: asyncio.AbstractEventLoop,
        client_scope: Scope,
        request: AppRequest,
        deliver: Callable[[AppResponse | AppFailure], None],
    ) -> None:
        """Ask one thing; its answer comes back by way of deliver, within the time there is for it."""
        run = AppRun(self._application, client_scope, request, deliver, limit=self._options.max_events_response)
        run.task = loop.create_task(self._see_through(run))
        self._runs[run] = deadline = loop.time() + self._options.answer_timeout
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._give_up, loop, context=Context())

    async def _see_through(self, run: AppRun) -> None:
        try:
            await run.run()
        finally:
            self._runs.pop(run, None)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up those whose time has come. Whoever was answered may go on."""
        self._timer = None
        now = loop.time()
        timeout = self._options.answer_timeout
        for run, deadline in list(self._runs.items()):
            if deadline == math.inf:
                continue
            if deadline > now:
                self._timer = loop.call_at(deadline, self._give_up, loop, context=Context())
                return
            # It is not looked at again, be it that it ends or that it will not.
            self._runs[run] = math.inf
            if not run.is_answered:
                run.give_up(AppFailure(f"it did not answer within {timeout:g} s", 504))

    def tell(self, loop: asyncio.AbstractEventLoop, client_scope: Scope, request: AppRequest) -> None:
        """Tell the application, by a gone link, what it needs not answer."""
        path = show_path(request.path)

        def log(answer: AppResponse | AppFailure) -> None:
            if isinstance(answer, AppFailure):
                logger.error("The application did not take the gone link %s: %s.", path, answer.text)
            elif not 200 <= answer.status <= 299:
                logger.error("The application did not take the gone link %s: it answered %d.", path, answer.status)

        self.ask(loop, client_scope, request, log)

    async def finish(self) -> None:
        """The server ends: let what is under way come to its end, if that is soon."""
        await self._wait_a_moment()
        for run in tuple(self._runs):
            run.cancel()
        await self._wait_a_moment()
        self._runs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait_a_moment(self) -> None:
        tasks = [run.task for run in self._runs if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)
