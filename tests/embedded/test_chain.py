"""A chained stream against an application that stores what it publishes: all of it arrives, once, and in order.

Whatever happens on the way: items that are lost, late or out of order, and answers that are slow, or made of a store
that was read at any time between the question and the answer.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from django_grip.protocol.channels import Channel
from django_grip.proxy.engine import Engine

from .core import make_engine, stream_item
from .http_driver import Client, answer, stream


class Application:
    """A log whose entries are numbers; entry n is published with the id n."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.length = 0
        self.on_the_way: list[int] = []

    def write(self) -> None:
        self.length += 1
        self.on_the_way.append(self.length)

    def deliver(self, which: int, now: float) -> None:
        number = self.on_the_way.pop(which % len(self.on_the_way))
        content = b"%d\n" % number
        self.engine.publish([stream_item("log", content, id=str(number), prev_id=str(number - 1))], now)

    def answer(self, client: Client, length: int, now: float) -> None:
        """Answer from the log as it was when it had this length."""
        position = int(client.last["log"]) if client.ask.purpose == "next" else 0
        body = b"".join(b"%d\n" % number for number in range(position + 1, length + 1))
        instruct = stream(Channel("log", str(max(length, position))), next_link="/next", next_link_timeout=30)
        client.answer(answer(instruct, body), now=now)


class Course:
    def __init__(self) -> None:
        self.now = 0.0
        self.engine = make_engine()
        self.application = Application(self.engine)
        self.client = Client(self.engine)
        # The length of the log when the application was asked.
        self.asked_at = 0

    def take(self, kind: str, number: int, seconds: float) -> None:
        application, client = self.application, self.client
        was_asking = bool(client.asks)
        if kind == "write":
            application.write()
        elif kind == "deliver" and application.on_the_way:
            application.deliver(number, self.now)
        elif kind == "lose" and application.on_the_way:
            application.on_the_way.pop(number % len(application.on_the_way))
        elif kind == "answer" and client.asks:
            length = self.asked_at + number % (application.length - self.asked_at + 1)
            application.answer(client, length, self.now)
            was_asking = False
        elif kind == "wait":
            self.wait(seconds)
        if client.asks and not was_asking:
            self.asked_at = application.length

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = [self.engine.deadline, self.client.exchange.deadline]
            due = [at for at in deadlines if at is not None and at <= until]
            if not due:
                break
            self.now = max(self.now, min(due))
            self.engine.wake(self.now)
            self.client.exchange.wake(self.now)
            self.client.pump()
        self.now = until

    def finish(self) -> None:
        """All is said; let the next silences pass."""
        while self.application.on_the_way:
            self.take("deliver", 0, 0.0)
        for _ in range(6):
            while self.client.asks:
                self.application.answer(self.client, self.application.length, self.now)
            self.wait(31.0)


STEPS = st.tuples(
    st.sampled_from(["write", "write", "deliver", "deliver", "lose", "answer", "wait"]),
    st.integers(0, 50),
    st.floats(0, 40),
)


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=60))
def test_all_of_a_log_arrives_once_and_in_order(steps: list[tuple[str, int, float]]) -> None:
    course = Course()
    for step in steps:
        course.take(*step)
    course.finish()
    assert course.client.data.split() == [b"%d" % number for number in range(1, course.application.length + 1)]
    assert not course.client.exchange.done


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=40), st.lists(STEPS, max_size=40))
def test_at_no_time_is_anything_doubled_or_out_of_order(
    first: list[tuple[str, int, float]], second: list[tuple[str, int, float]]
) -> None:
    course = Course()
    course.take("answer", 0, 0.0)
    for step in [*first, *second]:
        course.take(*step)
        numbers = [int(number) for number in course.client.data.split()]
        assert numbers == list(range(1, len(numbers) + 1))
