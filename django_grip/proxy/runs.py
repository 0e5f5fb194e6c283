"""All requests to the application that are under way, so that none is lost sight of and all can be ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .application import AppRun, ASGIApplication
from .messages import AppFailure, AppRequest, AppResponse, show_path
from .options import ProxyOptions
from .responses import Scope

__all__ = ["GRACE", "Runs"]

logger = logging.getLogger("django_grip")

GRACE = 0.5
"""Seconds that the application has to end what it does when the server ends, before and after it is cancelled."""


class Runs:
    """Asks the application, each time in a task of its own."""

    def __init__(self, application: ASGIApplication, options: ProxyOptions) -> None:
        self._application = application
        self._options = options
        self._tasks: dict[asyncio.Task[None], AppRun] = {}

    def ask(
        self,
        loop: asyncio.AbstractEventLoop,
        client_scope: Scope,
        request: AppRequest,
        deliver: Callable[[AppResponse | AppFailure], None],
    ) -> AppRun:
        """Ask one thing; its answer comes back by way of deliver, within the time there is for it."""
        limit = self._options.max_events_response
        run = AppRun(self._application, client_scope, request, deliver, limit=limit)
        task = run.start(loop, self._options.answer_timeout)
        self._tasks[task] = run
        task.add_done_callback(self._tasks.pop)
        return run

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
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        for run in tuple(self._tasks.values()):
            run.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
