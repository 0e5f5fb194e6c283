"""The thread of one request, where its client has gone and a sync view hangs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from django_grip.request_thread import RequestThread

from .asgi_client import PATIENCE


async def test_a_view_that_hangs_is_looked_at_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    go, looks, wait = threading.Event(), [], asyncio.wait

    async def wait_briefly(tasks: Any, *, timeout: float) -> Any:
        looks.append(timeout)
        if len(looks) == 9:
            go.set()
        return await wait(tasks, timeout=0.001 if len(looks) < 9 else PATIENCE)

    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang() -> bool:
        loop.call_soon_threadsafe(began.set)
        return go.wait(PATIENCE)

    with RequestThread() as thread:
        call = asyncio.create_task(thread.call(hang))
        await began.wait()
        monkeypatch.setattr(asyncio, "wait", wait_briefly)
        call.cancel()
        assert await call
    assert looks == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
