"""The engine: what it signs and says to the application, whom it knows, and how it ends."""

from __future__ import annotations

import pytest

from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import SignatureVerifier, VerifyKey, decode_token
from django_grip.proxy.engine import Engine
from django_grip.proxy.options import ProxyOptions

from .core import WALL_TIME, Subscriber, make_engine

KEY = load_key(b"a secret of the tests, and long enough")


class WallClock:
    def __init__(self) -> None:
        self.time = WALL_TIME

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def wall_clock() -> WallClock:
    return WallClock()


@pytest.fixture
def engine(wall_clock: WallClock) -> Engine:
    return Engine(ProxyOptions(key=KEY, issuer="embedded"), wall_clock=wall_clock)


def signature(engine: Engine) -> str:
    return dict(engine.grip_headers())[b"grip-sig"].decode()


def test_a_request_to_the_application_is_signed_for_an_hour(engine: Engine) -> None:
    token = signature(engine)
    assert decode_token(token, KEY) == {"iss": "embedded", "exp": int(WALL_TIME) + 3600}
    assert SignatureVerifier([VerifyKey(KEY, "embedded")]).verify(token, WALL_TIME)


def test_the_signature_is_used_again_for_a_minute(engine: Engine, wall_clock: WallClock) -> None:
    first = signature(engine)
    wall_clock.time += 59.9
    assert signature(engine) == first
    wall_clock.time += 0.1
    assert signature(engine) != first


def test_a_clock_that_was_set_back_makes_a_new_signature(engine: Engine, wall_clock: WallClock) -> None:
    first = signature(engine)
    wall_clock.time -= 7200
    claims = decode_token(signature(engine), KEY)
    assert signature(engine) != first
    assert claims is not None
    assert claims["exp"] == int(wall_clock.time) + 3600


def test_without_a_key_nothing_is_signed() -> None:
    assert [name for name, _ in make_engine().grip_headers()] == [b"grip-feature"]


def test_the_features_are_said_in_the_words_of_the_protocol(engine: Engine) -> None:
    features = dict(engine.grip_headers())[b"grip-feature"].decode().split(", ")
    assert features == [
        "status",
        "link:next",
        "link:gone",
        "filter:skip-self",
        "filter:skip-users",
        "filter:require-sub",
    ]


def test_each_request_has_headers_of_its_own(engine: Engine) -> None:
    engine.grip_headers().append((b"host", b"example.com"))
    assert len(engine.grip_headers()) == 2


def test_a_finished_exchange_is_known_to_nobody(engine: Engine) -> None:
    exchange = Subscriber(engine, "c")
    engine.exchanges.add(exchange)
    exchange.deadline = 5.0
    exchange.finish()
    assert (exchange.done, exchange.deadline, engine.exchanges) == (True, None, set())
    assert engine.hub.subscribers()["stream"] == {}
    exchange.finish()


def test_one_that_cannot_end_does_not_keep_the_others(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[float] = []

    class Ending(Subscriber):
        __slots__ = ()

        def shut_down(self, now: float) -> None:
            ended.append(now)
            self.finish()

    class Broken(Subscriber):
        __slots__ = ()

        def shut_down(self, now: float) -> None:
            raise RuntimeError("broken")

    engine.exchanges |= {Ending(engine, "c"), Broken(engine, "c"), Ending(engine, "c")}
    engine.shut_down(7.0)
    assert ended == [7.0, 7.0]
    assert caplog.messages == ["A client could not be parted with properly."]
