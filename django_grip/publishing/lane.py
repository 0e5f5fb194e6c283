"""The way of items to one proxy: a bounded queue, one sender at a time, retries.

Whoever holds the sender's role (`_busy`) takes a batch and hands it to the transport, outside the lock. Mostly that is
the lane's own thread. It may also be a thread that has to wait for its item anyway: it then saves the way to the
thread and back, which costs more than the request. Only one sends at any time, and a batch that failed stays in front
of what came after it, so the order of items is kept.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from ..exceptions import ItemRejected, NotSent, ProxyFailure, ProxyRefused, PublishTimeout, QueueFull
from .backlog import Backlog, Batch
from .backoff import Backoff
from .counters import Counters
from .hand import Hand
from .lifecycle import arm_exit
from .outcome import Rejected, Turned, Unreached
from .parcel import Parcel
from .policy import Policy
from .publication import ProxyResult, forsake, settle
from .report import Line, Reporter, logger, write
from .transport import Transport

__all__ = ["Lane"]

_UNKNOWN = 3600.0


class Lane:
    """Everything between `publish` and one proxy.

    background: whether the lane may have a thread; without one, callers send (`help`).
    """

    def __init__(
        self,
        transport: Transport,
        policy: Policy,
        *,
        background: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transport = transport
        self.url = transport.url
        self._policy = policy
        self._background = background
        self._clock = clock
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """Set up what a process has for itself: locks, queue, counters."""
        # Reentrant: a finalizer or a signal handler may publish in the middle of anything.
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._turns = threading.Condition(self._lock)
        self._quiet = threading.Condition(self._lock)
        # How many wait on each: telling nobody costs as much as telling somebody.
        self._room_wanted = self._turns_wanted = self._quiet_wanted = 0
        self._backlog = Backlog(self._policy.queue_items, self._policy.queue_bytes)
        self._hand = Hand(self._backlog, max_items=self._policy.batch_items, max_bytes=self.transport.max_bytes)
        self._backoff = Backoff(self._policy)
        self._busy = False
        self._idle = False
        self._thread: threading.Thread | None = None
        self._congested = False
        self._reporter = Reporter(self.url, self._policy.report_interval)
        self._full = ProxyResult(self.url, QueueFull("so many items wait that no more are taken in"), 0)
        self._accepted = self._settled = 0
        self._sent = self._failed = self._retried = self._batches = self._requests = 0

    # ---- the publishers' side

    def put(self, parcel: Parcel, *, forced: bool = False, wake: bool = True) -> bool:
        """Take a parcel in, or settle it as failed when there is no room.

        forced: take it in all the same; whoever waits for its item is a bound of its own. wake: whether to wake the
        sender for it.
        Returns whether somebody will send it. If not, the caller has to (`help`).
        """
        with self._lock:
            taken = not self._closed and (forced or self._has_room(len(parcel.body)))
            if taken:
                self._backlog.put(parcel)
                self._accepted += 1
                return self._wake() if wake else self._background
        if self._closed:
            self._turn_away(parcel, ProxyResult(self.url, NotSent("the publisher was closed"), 0))
        else:
            self._turn_away(parcel, self._full)
        return True

    def _turn_away(self, parcel: Parcel, result: ProxyResult) -> None:
        with self._lock:
            self._failed += 1
            line = self._reporter.lost(1, str(result.error), self._clock())
        write(line)
        settle((parcel.publication,), result)

    def _has_room(self, size: int) -> bool:
        """Whether there is room, now or after a moment's waiting."""
        if self._backlog.has_room(size):
            return True
        # An event loop must not wait. The lane's own thread gets here when a log handler publishes.
        if _in_event_loop() or threading.current_thread() is self._thread or not self._wake():
            return False
        end = self._clock() + self._policy.room_timeout
        self._room_wanted += 1
        try:
            # Waiting makes sense only while the proxy takes something, and only until it has once been in vain.
            while not self._backoff.failures and not self._congested and not self._closed:
                left = end - self._clock()
                if left <= 0:
                    self._congested = True
                    break
                self._room.wait(left)
                if self._backlog.has_room(size):
                    return True
        finally:
            self._room_wanted -= 1
        return False

    def _wake(self) -> bool:
        """See to it that somebody sends. Called with the lock. False when the caller has to."""
        if not self._background:
            return False
        if self._thread is None:
            return self._start_thread()
        if self._idle and not self._busy:
            self._idle = False
            self._work.notify()
        return True

    def _start_thread(self) -> bool:
        arm_exit()
        self._thread = threading.Thread(target=self._run, name=f"grip-publish {self.url}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # No more threads to be had, or the interpreter is ending.
            self._thread = None
        return self._thread is not None

    def kick(self) -> bool:
        """See to it that what is queued gets sent. False when the caller has to send it."""
        with self._lock:
            return not self._hand or self._wake()

    def help(self, end: float | None = None) -> bool:
        """Send one batch on the caller's thread. False when there is nothing to send now, or somebody is at it.

        end: on the monotonic clock, when the caller wants to be back.
        """
        with self._lock:
            if not self._can_step(self._clock()):
                return False
            self._busy = True
        self._step(end)
        return True

    @property
    def pause(self) -> float:
        """Seconds until `help` may be of use, as far as is known."""
        with self._lock:
            return self._pause_left()

    def _pause_left(self) -> float:
        if self._busy or not self._hand:
            return _UNKNOWN
        return max(0.0, self._turn() - self._clock())

    def wait_turn(self, timeout: float) -> None:
        """Wait until `help` may be of use, at most `timeout` seconds."""
        with self._lock:
            pause = self._pause_left()
            if pause > 0:
                self._turns_wanted += 1
                self._turns.wait(min(timeout, pause))
                self._turns_wanted -= 1

    @property
    def failing(self) -> bool:
        return self._backoff.failures > 0

    @property
    def accepted(self) -> int:
        return self._accepted

    @property
    def unsettled(self) -> int:
        return self._accepted - self._settled

    def wait_settled(self, count: int, timeout: float) -> bool:
        """Wait until the first `count` parcels that were taken in are settled, at most `timeout` seconds."""
        end = self._clock() + timeout
        with self._lock:
            self._quiet_wanted += 1
            try:
                while self._settled < count:
                    left = end - self._clock()
                    if left <= 0:
                        return False
                    self._quiet.wait(left)
            finally:
                self._quiet_wanted -= 1
        return True

    def counters(self) -> Counters:
        with self._lock:
            return Counters(self._sent, self._failed, self._retried, self.unsettled, self._batches, self._requests)

    # ---- the sender's side

    def _run(self) -> None:
        while True:
            with self._lock:
                now = self._clock()
                line = self._reporter.due(now)
                step = line is None and self._can_step(now)
                if step:
                    self._busy = True
                elif line is None:
                    if self._closed and not self._hand:
                        self._thread = None
                        break
                    self._rest(now)
            write(line)
            if step:
                self._step()
        self.transport.close()

    def _rest(self, now: float) -> None:
        """Wait for work, for the end of a pause, or for the time to tell about losses."""
        ends = [] if self._busy or not self._hand else [self._turn()]
        due = self._reporter.due_at()
        if due is not None:
            ends.append(due)
        self._idle = True
        self._work.wait(max(0.0, min(ends) - now) if ends else None)
        self._idle = False

    def _can_step(self, now: float) -> bool:
        return not self._busy and bool(self._hand) and now >= self._turn()

    def _turn(self) -> float:
        """When the next step is due: after the pause, or when the oldest item's time is over."""
        oldest, pause_ends = self._hand.oldest(), self._backoff.not_before
        return min(pause_ends, oldest.deadline) if oldest else pause_ends

    def _step(self, end: float | None = None) -> None:
        """Send one batch. The caller has taken the sender's role; it is given back here."""
        try:
            now = self._clock()
            # While the proxy takes items, late is better than never, and everything is tried once.
            if self._backoff.failures:
                self._drop_late(now)
            with self._lock:
                batch = self._next_batch() if now >= self._backoff.not_before else None
            if batch is not None:
                self._attempt(batch, end)
        finally:
            with self._lock:
                self._busy = False
                if self._hand:
                    self._wake()
                if self._turns_wanted:
                    self._turns.notify_all()

    def _next_batch(self) -> Batch | None:
        batch = self._hand.next()
        if batch is None:
            return None
        if self._room_wanted and self._backlog.is_half_empty():
            self._room.notify_all()
        self._requests += 1
        if batch.attempts:
            self._retried += len(batch.parcels)
        batch.attempts += 1
        return batch

    def _attempt(self, batch: Batch, end: float | None) -> None:
        # The batch stays in the hand until it is known what became of it: an exception that ends this thread, as
        # gunicorn raises one at a worker's time-out, must not take it along.
        began = self._clock()
        deadline = began + self._policy.attempt_timeout
        if self._backoff.failures:
            deadline = min(deadline, batch.parcels[-1].deadline)
        if end is not None:
            deadline = min(deadline, end)
        try:
            self.transport.send(batch.parcels, deadline=deadline)
        except Unreached as trouble:
            cut_short = deadline < began + self._policy.attempt_timeout and self._clock() >= deadline
            self._try_later(batch, trouble, began, cut_short=cut_short)
        except Rejected as trouble:
            self._note_contact()
            self._split_or_reject(batch, trouble)
        except Turned as trouble:
            self._finish(batch, ProxyRefused(str(trouble), status=trouble.status))
        except Exception as error:  # noqa: BLE001 - transports are handed in; none may end the sender
            told = {"grip_event": "transport_error", "grip_proxy": self.url}
            logger.exception("A transport failed in a way it should not.", extra=told)
            self._finish(batch, ProxyFailure(f"{type(error).__name__} in the transport"))
        except BaseException:
            batch.uncertain_since = batch.uncertain_since or began
            raise
        else:
            self._note_contact()
            self._finish(batch, None)

    def _note_contact(self) -> None:
        """The proxy answered, and works."""
        self._congested = False
        if self._backoff.failures:
            with self._lock:
                self._backoff.recovered()
                line = self._reporter.recovered()
            write(line)

    def _try_later(self, batch: Batch, trouble: Unreached, began: float, *, cut_short: bool) -> None:
        reason = str(trouble)
        if trouble.sent:
            done, batch.parcels = batch.parcels[: trouble.sent], batch.parcels[trouble.sent :]
            self._settle(done, None, batch.attempts)
        if trouble.uncertain:
            if batch.uncertain_since is None:
                batch.uncertain_since = began
            self._drop_unrepeatable(batch, reason)
        with self._lock:
            now = self._clock()
            self._backoff.failed(reason, now, asked=trouble.retry_after, cut_short=cut_short)
            line = None if self._closed else self._reporter.failed(reason, self.unsettled, now)
            # Nobody waits for room at a proxy that does not work.
            self._room.notify_all()
        write(line)
        if self._closed or not batch.parcels:
            self._finish(batch, NotSent(f"the publisher was closed; {reason}"))

    def _drop_unrepeatable(self, batch: Batch, reason: str) -> None:
        """Give up what the proxy could not recognise as a repeat: a previous id without an id (GRIP.md, 6)."""
        lost = [parcel for parcel in batch.parcels if not parcel.repeatable]
        if lost:
            batch.parcels = [parcel for parcel in batch.parcels if parcel.repeatable]
            text = f"{reason}; it may have arrived, and has no id by which a repeat would be known"
            self._settle(lost, PublishTimeout(text, uncertain=True), batch.attempts)

    def _split_or_reject(self, batch: Batch, trouble: Rejected) -> None:
        """Find the bad items by halving, which keeps the order; one item alone is the bad one."""
        if len(batch.parcels) == 1:
            self._finish(batch, ItemRejected(str(trouble), status=trouble.status))
            return
        with self._lock:
            self._hand.split_first(too_large=trouble.too_large)

    def _finish(self, batch: Batch, error: ProxyFailure | None) -> None:
        with self._lock:
            self._hand.drop_first()
            if error is None:
                self._batches += 1
        self._settle(batch.parcels, error, batch.attempts)

    def _drop_late(self, now: float) -> None:
        """Fail what has waited too long."""
        with self._lock:
            late = self._hand.take_late(now, self._policy.repeat_window)
        for parcels, attempts, uncertain in late:
            maybe = " (it may have arrived all the same)" if uncertain else ""
            text = f"not taken in time{maybe}: {self._backoff.reason}"
            self._settle(parcels, PublishTimeout(text, uncertain=uncertain), attempts)

    def _settle(self, parcels: list[Parcel], error: ProxyFailure | None, attempts: int) -> None:
        count = len(parcels)
        line: Line | None = None
        with self._lock:
            if error is None:
                self._sent += count
            else:
                self._failed += count
                # Once closed, `close` has told of all that is left.
                line = None if self._closed else self._reporter.lost(count, str(error), self._clock())
        write(line)
        settle([parcel.publication for parcel in parcels], ProxyResult(self.url, error, attempts))
        with self._lock:
            self._settled += count
            if self._quiet_wanted:
                self._quiet.notify_all()

    # ---- the end

    def close(self, why: str) -> int:
        """Take nothing more in, and give up what is queued. How many items that were taken in are not sent.

        A request under way is not cut off; what it carries is counted.
        """
        with self._lock:
            self._closed = True
            unsettled = self.unsettled
            parcels = self._hand.take_all_but_first(first_too=not self._busy)
            in_flight = unsettled - len(parcels)
            self._room.notify_all()
            self._work.notify_all()
            alone = self._thread is None and not self._busy
            if parcels:
                self._reporter.count_lost(len(parcels), why)
            if in_flight:
                self._reporter.count_lost(in_flight, f"{why}, though a request under way may deliver them")
            line = self._reporter.summary()
        if parcels:
            self._settle(parcels, NotSent(why), 0)
        write(line)
        if alone:
            self.transport.close()
        return unsettled

    def begin_in_child(self) -> None:
        """Begin anew in a child process, with nothing to send: what is here is sent by the parent."""
        left = self._hand.parcels + self._backlog.take_all()
        error = NotSent("it was queued before this process was forked; the parent process sends it")
        forsake([parcel.publication for parcel in left], ProxyResult(self.url, error, 0))
        self._begin()
        self.transport.close()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
