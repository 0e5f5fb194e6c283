"""The numbers a publisher works by."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Policy"]


@dataclass(frozen=True)
class Policy:
    """Bounds and time-outs. Times are in seconds, sizes in bytes.

    timeout: how long an item is tried at a proxy that does not take it. attempt_timeout: one request, from connecting
    to the end of the answer. room_timeout: how long a publish that does not block waits for room when the queue of a
    proxy that works is full. queue_items, queue_bytes: per proxy. batch_items: more do not make a batch cheaper.
    backoff: the first pause after a failure, doubled up to backoff_limit. repeat_window: how long a proxy knows an id,
    less a margin (GRIP.md, 6): what may have arrived is not sent again after it. report_interval: at most one line
    about failures per proxy and interval. exit_timeout: how long the end of the process waits for what is queued.
    """

    timeout: float = 30.0
    connect_timeout: float = 5.0
    attempt_timeout: float = 10.0
    room_timeout: float = 1.0
    queue_items: int = 10_000
    queue_bytes: int = 64 * 1024 * 1024
    batch_items: int = 500
    backoff: float = 0.05
    backoff_limit: float = 2.0
    repeat_window: float = 50.0
    report_interval: float = 10.0
    exit_timeout: float = 5.0
