"""Streams: what comes of them, in which order, what they ask the application for, and how they end."""

from __future__ import annotations

import pytest

from django_grip.protocol.channels import Channel
from django_grip.protocol.instruct import Instruct
from django_grip.proxy.effects import Abort, Begin, Chunk, End
from django_grip.proxy.engine import Engine
from django_grip.proxy.messages import AppFailure, AppResponse
from django_grip.proxy.published import PublishedItem, SocketMessage, StreamMessage

from .core import make_engine, response_item, stream_item
from .http_driver import Client, answer, long_poll, stream


@pytest.fixture
def engine() -> Engine:
    return make_engine()


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(engine)


def publish(engine: Engine, *items: PublishedItem, now: float = 0.0) -> None:
    engine.publish(items, now)


def chained(content: bytes, id: str, prev_id: str | None, *, action: str = "send") -> PublishedItem:
    return stream_item("c", content, id=id, prev_id=prev_id, action=action)


def chain(prev_id: str | None = None, *, link: str = "/feed/next/", timeout: int = 0) -> Instruct:
    return stream(Channel("c", prev_id), next_link=link, next_link_timeout=timeout)


# The beginning, and what is published


def test_a_stream_begins_with_the_answer_and_goes_on_with_what_is_published(engine: Engine, client: Client) -> None:
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5"), ("Set-Cookie", "a=b")]
    client.answer(answer(stream("c"), b"open\n", headers=headers))
    publish(engine, stream_item("c", b"one"), stream_item("other", b"no"), stream_item("c", b"\x00\xff"))
    assert client.effects == [
        Begin(200, [(b"content-type", b"text/plain"), (b"set-cookie", b"a=b")]),
        Chunk(b"open\n"),
        Chunk(b"one"),
        Chunk(b"\x00\xff"),
    ]
    assert (client.exchange.mode, client.exchange.done, client.exchange.deadline) == ("stream", False, None)


def test_an_empty_beginning_is_no_chunk(client: Client) -> None:
    client.answer(stream("c"))
    assert client.effects == [Begin(200, [])]


def test_a_fan_out_shares_one_effect(engine: Engine) -> None:
    clients = [Client(engine) for _ in range(3)]
    for client in clients:
        client.answer(stream("c"))
    publish(engine, stream_item("c", b"one"))
    first, second, third = (client.effects[-1] for client in clients)
    assert first is second is third


def test_what_is_not_for_streams_is_passed_over(engine: Engine, client: Client) -> None:
    client.answer(stream("c"))
    item = PublishedItem("c", response=response_item("c").response, socket=SocketMessage(content=b"x"))
    publish(engine, item, stream_item("c", b""), stream_item("c", b"one"))
    assert client.data == b"one"


def test_a_close_ends_the_stream(engine: Engine, client: Client) -> None:
    client.answer(stream("c"))
    publish(engine, stream_item("c", b"one"), stream_item("c", action="close"), stream_item("c", b"two"))
    assert client.effects == [Begin(200, []), Chunk(b"one"), End()]
    assert (client.exchange.done, engine.exchanges) == (True, set())


def test_a_hint_is_nothing_to_a_stream_without_a_next_link(engine: Engine, client: Client) -> None:
    client.answer(stream("c"))
    publish(engine, stream_item("c", action="hint"), stream_item("c", b"one"))
    assert (client.data, client.asks) == (b"one", [])


def test_a_close_that_is_filtered_out_ends_nothing(engine: Engine, client: Client) -> None:
    client.answer(stream(Channel("c", filters=["skip-self"]), next_link="/n", meta={"user": "ada"}))
    close = stream_item("c", action="close", meta={"sender": "ada"})
    publish(engine, close, stream_item("c", action="hint"), close)
    assert not client.exchange.done
    client.answer(stream("c"), b"more")
    assert (client.data, client.exchange.done) == (b"more", False)


@pytest.mark.parametrize(
    ("filters", "item_meta", "arrives"),
    [
        (["skip-self"], {"sender": "ada"}, False),
        (["skip-self"], {"sender": "bob"}, True),
        (["skip-users"], {"skip_users": "bob, ada"}, False),
        (["require-sub"], {"require_sub": "elsewhere"}, False),
        (["require-sub"], {"require_sub": "second"}, True),
        (["unknown", "skip-self"], {"sender": "ada"}, False),
        ([], {"sender": "ada"}, True),
    ],
)
def test_filters_are_those_of_the_items_channel(
    engine: Engine, client: Client, filters: list[str], item_meta: dict[str, str], arrives: bool
) -> None:
    client.answer(stream(Channel("c", filters=filters), "second", meta={"user": "ada"}))
    publish(engine, stream_item("c", b"one", meta=item_meta), stream_item("second", b"two", meta=item_meta))
    assert client.data == (b"onetwo" if arrives else b"two")


def test_a_stream_that_is_held_keeps_nothing_of_its_request(engine: Engine) -> None:
    client = Client(engine, headers=[(b"host", b"example.com"), (b"cookie", b"secret")])
    client.answer(chain())
    assert client.exchange.request is None


# Keep-alives


def test_a_keep_alive_comes_after_a_silence(engine: Engine, client: Client) -> None:
    client.answer(stream("c", keep_alive="\n", keep_alive_timeout=20))
    assert client.exchange.deadline == 20.0
    client.wake(19.9)
    assert client.data == b""
    client.wake(45.0)
    assert client.data == b"\n\n"
    publish(engine, stream_item("c", b"one"), now=50.0)
    assert client.exchange.deadline == 70.0


def test_a_keep_alive_in_mode_interval_comes_whatever_else_does(engine: Engine, client: Client) -> None:
    client.answer(stream("c", keep_alive=b"\xff", keep_alive_timeout=20, keep_alive_mode="interval"))
    publish(engine, stream_item("c", b"one"), now=19.0)
    client.wake(20.0)
    assert (client.data, client.exchange.deadline) == (b"one\xff", 40.0)


def test_a_keep_alive_without_a_time_comes_after_the_default(client: Client) -> None:
    client.answer(stream("c", keep_alive="x"))
    assert client.exchange.deadline == 55.0


def test_keep_alives_of_all_modes_go_on_while_the_next_link_is_asked(engine: Engine, client: Client) -> None:
    instruct = stream("c", keep_alive="k", keep_alive_timeout=20, next_link="/n", next_link_timeout=30)
    client.answer(instruct)
    client.wake(65.0)
    assert (client.data, len(client.asks)) == (b"kkk", 1)
    client.answer(instruct, now=70.0)
    assert client.exchange.deadline == 80.0
    client.wake(100.0)
    client.answer(instruct, b"more", now=105.0)
    assert client.exchange.deadline == 125.0
    client.wake(135.0)
    client.answer(stream("c"), now=136.0)
    assert client.exchange.deadline is None


# The next link of a hold


def test_the_next_link_is_asked_after_a_silence_with_none_of_the_clients_headers(engine: Engine) -> None:
    client = Client(
        engine, headers=[(b"cookie", b"secret"), (b"host", b"example.com:8000"), (b"authorization", b"secret")]
    )
    client.answer(chain("5", link="/next/?x=1,2&y"))
    client.wake(119.9)
    assert client.asks == []
    client.wake(120.0)
    ask = client.ask
    assert (ask.purpose, ask.method, ask.path, ask.query, ask.body) == ("next", "GET", b"/next/", b"x=1%2C2&y", b"")
    assert [name for name, _ in ask.headers] == [b"host", b"grip-feature", b"grip-last"]
    assert ask.headers[0] == (b"host", b"example.com:8000")
    assert client.last == {"c": "5"}
    assert client.exchange.deadline is None


def test_the_silence_begins_anew_when_each_channel_has_spoken(engine: Engine, client: Client) -> None:
    client.answer(stream("a", "b", next_link="/n", next_link_timeout=30))
    publish(engine, stream_item("a"), now=10.0)
    assert client.exchange.deadline == 30.0
    publish(engine, stream_item("b"), now=20.0)
    assert client.exchange.deadline == 50.0
    publish(engine, stream_item("b"), now=25.0)
    assert client.exchange.deadline == 50.0


def test_an_answer_to_the_next_link_goes_on_with_its_hold(engine: Engine, client: Client) -> None:
    client.answer(stream("a", "b", next_link="/n", next_link_timeout=30))
    client.wake(30.0)
    client.answer(answer(stream("b", "c", next_link="/m", next_link_timeout=10), b"more", status=201), now=31.0)
    assert client.effects == [Begin(200, []), Chunk(b"more")]
    publish(engine, stream_item("a", b"a"), stream_item("b", b"b"), stream_item("c", b"c"), now=32.0)
    assert client.data == b"morebc"
    client.wake(42.0)
    assert client.ask.path == b"/m"


def test_a_relative_link_is_one_to_the_page_before(engine: Engine, client: Client) -> None:
    client.answer(chain(link="more/2?x"))
    client.wake(120.0)
    assert (client.ask.path, client.ask.query) == (b"/feed/more/2", b"x")
    client.answer(chain(link="3"), now=120.0)
    client.wake(240.0)
    assert (client.ask.path, client.ask.query) == (b"/feed/more/3", b"")


def test_a_hint_asks_the_next_link_at_once_and_leaves_the_id(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, chained(b"", "6", "5", action="hint"))
    assert client.last == {"c": "5"}
    client.answer(chain("6"), b"six")
    publish(engine, chained(b"seven", "7", "6"))
    assert (client.data, client.asks) == (b"sixseven", [])


def test_ids_go_along_with_what_was_sent(engine: Engine, client: Client) -> None:
    client.answer(chain("5", timeout=30))
    publish(engine, chained(b"six", "6", "5"), chained(b"seven", "7", "6"))
    client.wake(30.0)
    assert (client.data, client.last) == (b"sixseven", {"c": "7"})


def test_an_item_that_was_filtered_out_counts_as_had(engine: Engine, client: Client) -> None:
    instruct = stream(Channel("c", "5", ["skip-self"]), next_link="/n", meta={"user": "ada"})
    client.answer(instruct)
    publish(engine, stream_item("c", b"mine", id="6", prev_id="5", meta={"sender": "ada"}))
    publish(engine, chained(b"seven", "7", "6"))
    assert (client.data, client.asks) == (b"seven", [])


def test_an_item_without_an_id_ends_the_chain(engine: Engine, client: Client) -> None:
    client.answer(chain("5", timeout=30))
    publish(engine, stream_item("c", b"bare", prev_id="5"), chained(b"nine", "9", "8"))
    client.wake(30.0)
    assert (client.data, client.last) == (b"barenine", {})


def test_what_was_missed_before_the_hold_is_asked_for_at_once(engine: Engine, client: Client) -> None:
    publish(engine, chained(b"six", "6", "5"))
    client.answer(chain("5"), b"open")
    assert (client.data, client.last) == (b"open", {"c": "5"})
    client.answer(chain("6"), b"six")
    publish(engine, chained(b"seven", "7", "6"))
    assert (client.data, client.asks) == (b"opensixseven", [])


def test_what_was_missed_on_a_channel_that_is_new_is_asked_for_soon(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, stream_item("d", id="2"))
    client.wake(50.0)
    publish(engine, chained(b"", "6", "5", action="hint"), now=50.0)
    both = stream(Channel("c", "6"), Channel("d", "1"), next_link="/n")
    client.answer(both, now=50.0)
    assert (client.asks, client.exchange.deadline) == ([], 51.0)
    client.wake(51.0)
    assert client.last == {"c": "6", "d": "1"}
    # The application was asked, so what it says now is believed: ids that never meet must not make a circle.
    client.answer(both, now=51.0)
    assert (client.asks, client.exchange.deadline) == ([], 171.0)


def test_a_gap_asks_the_next_link(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, chained(b"eight", "8", "7"))
    assert (client.data, client.last) == (b"", {"c": "5"})
    client.answer(chain("8"), b"six seven eight")
    assert (client.data, client.asks, client.exchange.deadline) == (b"six seven eight", [], 120.0)
    publish(engine, chained(b" nine", "9", "8"))
    assert client.data == b"six seven eight nine"


def test_what_is_published_while_the_link_is_asked_waits_and_comes_once(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, chained(b"", "hint", "5", action="hint"))
    publish(engine, chained(b"6", "6", "hint"), chained(b"7", "7", "6"), chained(b"8", "8", "7"))
    assert client.data == b""
    client.answer(chain("7"), b"[5, 6, 7]")
    assert (client.data, client.asks) == (b"[5, 6, 7]8", [])


def test_what_the_client_has_already_is_passed_over(engine: Engine, client: Client) -> None:
    client.answer(chain("9"))
    publish(engine, chained(b"nine", "9", "8"), chained(b"ten", "10", "9"))
    assert (client.data, client.asks) == (b"ten", [])


def test_an_answer_that_was_made_too_early_is_asked_for_once_more(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, chained(b"eight", "8", "7"))
    client.answer(chain("5"), now=10.0)
    assert (client.data, client.asks, client.exchange.deadline) == (b"", [], 11.0)
    client.wake(11.0)
    client.answer(chain("5"), now=12.0)
    # Its ids do not meet: no circle comes of it.
    assert (client.asks, client.exchange.deadline) == ([], 132.0)


def test_a_second_gap_behind_the_first_is_asked_for_too(engine: Engine, client: Client) -> None:
    client.answer(chain("1"))
    publish(engine, chained(b"", "hint", "1", action="hint"))
    publish(engine, chained(b"2", "2", "hint"))
    publish(engine, chained(b"9", "9", "8"), now=1.0)
    engine.wake(6.0)
    client.answer(chain("hint"), b"[hint]", now=7.0)
    assert (client.data, client.last) == (b"[hint]2", {"c": "2"})
    client.answer(chain("8"), b"[8]", now=8.0)
    assert (client.data, client.asks) == (b"[hint]2[8]9", [])


def test_a_gap_right_behind_what_the_answer_brought_is_asked_for_at_once(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, stream_item("c", action="hint"))
    publish(engine, stream_item("c", b"6", id="6", prev_id="5"))
    publish(engine, stream_item("c", b"9", id="9", prev_id="8"))
    engine.wake(5.0)
    client.answer(chain("6"), b"[6]", now=6.0)
    assert (client.data, client.last) == (b"[6]", {"c": "6"})
    client.answer(chain("8"), b"[7, 8]", now=7.0)
    assert (client.data, client.asks) == (b"[6][7, 8]9", [])


def test_hints_that_come_meanwhile_are_heeded_once(engine: Engine, client: Client) -> None:
    client.answer(stream("c", next_link="/n"))
    hint = stream_item("c", action="hint")
    publish(engine, hint, stream_item("c", b"a"), hint, stream_item("c", b"b"), hint)
    client.answer(stream("c", next_link="/n"), b"1")
    assert (client.data, len(client.asks)) == (b"1a", 1)
    client.answer(stream("c", next_link="/n"), b"2")
    assert (client.data, client.asks) == (b"1a2b", [])


def test_a_channel_that_the_answer_leaves_out_is_left_out(engine: Engine, client: Client) -> None:
    client.answer(stream("a", "b", next_link="/n"))
    publish(engine, stream_item("a", action="hint"), stream_item("a", b"a"), stream_item("b", b"b"))
    client.answer(stream("b", next_link="/n"))
    publish(engine, stream_item("a", b"a"))
    assert client.data == b"b"
    assert engine.hub.subscribers()["stream"] == {"b": 1}


@pytest.mark.parametrize("prev_id", [None, "5"])
def test_a_close_is_heeded_while_the_link_is_asked_and_whatever_its_id(
    engine: Engine, client: Client, prev_id: str | None
) -> None:
    client.answer(chain(prev_id))
    publish(engine, stream_item("c", b"", action="hint"))
    publish(engine, stream_item("c", b"last words", id="6", prev_id="5"), stream_item("c", action="close"))
    assert client.effects == [Begin(200, []), Chunk(b"last words"), End()]
    client.exchange.receive_response(answer(chain()), 1.0)
    assert (client.exchange.outbox, client.exchange.asks) == (client.exchange.outbox.__class__(), [])


def test_a_close_that_is_not_in_the_chain_ends_the_stream(engine: Engine, client: Client) -> None:
    client.answer(chain("5"))
    publish(engine, stream_item("c", action="close"))
    assert client.has_ended


# A next link that is no good


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (answer(chain(), status=302), "it was answered with 302"),
        (answer(chain(), status=500), "it was answered with 500"),
        (AppFailure("it took more than 120 seconds", 504), "it took more than 120 seconds"),
        (answer(long_poll("c")), "it was answered with a hold of a response, but this is a stream"),
        (AppResponse(200, [(b"grip-hold", b"forever")]), "Grip-Hold must be either 'response' or 'stream'"),
        (
            AppResponse(200, [(b"grip-hold", b"stream")]),
            "Grip-Hold has no Grip-Channel beside it, so nothing could ever come",
        ),
        (
            AppResponse(200, [(b"grip-hold", b"stream"), (b"grip-channel", b"c; prev-id=1")]),
            "Grip-Channel says a prev-id for 'c', but Grip-Link says no next link",
        ),
    ],
)
def test_a_stream_ends_as_it_should_when_its_next_link_is_no_good(
    client: Client, response: AppResponse | AppFailure, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.answer(chain(link="/n/.grip/secret/"), b"open")
    client.wake(120.0)
    client.answer(response, now=121.0)
    assert (client.data, client.has_ended, client.exchange.done) == (b"open", True, True)
    assert caplog.messages == [f"The stream at /feed/ ends: its next link /n was no good: {problem}"]


def test_an_answer_without_hold_and_link_ends_the_stream(client: Client) -> None:
    client.answer(chain())
    client.wake(120.0)
    client.answer(answer(None, b"bye"))
    assert client.effects == [Begin(200, []), Chunk(b"bye"), End()]


@pytest.mark.parametrize(
    ("link", "host"),
    [
        (b"http://elsewhere.com/next", b"example.com"),
        (b"http://example.com:8001/", b"example.com"),
        (b"http://user@example.com/", b"example.com"),
        (b"//elsewhere.com/next", b"example.com"),
        (b"http://example.com/next", None),
    ],
)
def test_a_link_to_another_host_ends_the_stream(
    engine: Engine, link: bytes, host: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(engine, headers=[] if host is None else [(b"host", host)])
    client.answer(
        AppResponse(
            200, [(b"grip-hold", b"stream"), (b"grip-channel", b"c"), (b"grip-link", b"<%s>; rel=next" % link)], b"open"
        )
    )
    assert client.effects == [Begin(200, []), Chunk(b"open"), End()]
    assert "host" in caplog.text


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("http://example.com/next?x", b"example.com"),
        ("https://Example.com:443/next?x", b"example.com"),
        ("http://example.com/next?x", b"EXAMPLE.com:80"),
        ("http://[::1]:8000/next?x", b"[::1]:8000"),
    ],
)
def test_a_whole_url_to_the_same_host_is_followed(engine: Engine, link: str, host: bytes) -> None:
    client = Client(engine, headers=[(b"host", host)])
    client.answer(chain(link=link))
    client.wake(120.0)
    assert (client.ask.path, client.ask.query, client.ask.headers[0]) == (b"/next", b"x", (b"host", host))


# Pages: a next link without a hold


def test_pages_are_streamed_one_after_another(client: Client) -> None:
    client.answer(Instruct(next_link="/2"), b"one ")
    assert (client.exchange.mode, client.ask.path) == ("stream", b"/2")
    client.answer(Instruct(next_link="/3"), b"two ")
    assert client.ask.path == b"/3"
    client.answer(answer(None, b"three"))
    assert client.effects == [Begin(200, []), Chunk(b"one "), Chunk(b"two "), Chunk(b"three"), End()]


def test_a_page_is_asked_for_when_the_client_has_taken_in_the_one_before(client: Client) -> None:
    client.reads = False
    client.answer(Instruct(next_link="/2"), b"one ")
    assert client.asks == []
    client.reads = True
    client.pump()
    assert client.ask.path == b"/2"


def test_pages_may_end_in_a_hold(engine: Engine, client: Client) -> None:
    client.answer(Instruct(next_link="/2"), b"one ")
    client.answer(stream("c"), b"two ")
    publish(engine, stream_item("c", b"three"))
    assert client.data == b"one two three"


def test_nothing_is_lost_where_pages_stand_between_two_holds(engine: Engine, client: Client) -> None:
    client.answer(stream("c", next_link="/1"))
    publish(engine, stream_item("c", action="hint"), stream_item("c", b"a"))
    client.answer(Instruct(next_link="/2"), b"1")
    publish(engine, stream_item("c", b"b"))
    client.answer(Instruct(next_link="/3"), b"2")
    client.answer(stream("c"), b"3")
    publish(engine, stream_item("c", b"c"))
    assert client.data == b"123abc"


def test_empty_pages_that_link_on_and_on_come_one_a_second(client: Client) -> None:
    client.answer(Instruct(next_link="/again"))
    client.answer(Instruct(next_link="/again"), now=0.0)
    for second in (1.0, 2.0, 3.0):
        assert (client.asks, client.exchange.deadline) == ([], second)
        client.wake(second)
        client.answer(Instruct(next_link="/again"), now=second)
    client.wake(4.0)
    client.answer(Instruct(next_link="/again"), b"at last", now=4.0)
    assert client.ask.path == b"/again"


# The end


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = make_engine(max_outbox=100)
    slow, quick = Client(engine), Client(engine)
    for client in (slow, quick):
        client.answer(stream("c"))
    slow.reads = False
    publish(engine, *[stream_item("c", b"x" * 30) for _ in range(5)])
    assert list(slow.exchange.outbox) == [Abort("too slow")]
    assert (slow.exchange.done, quick.data) == (True, b"x" * 150)
    assert engine.hub.subscribers()["stream"] == {"c": 1}
    assert caplog.messages == ["The stream at /feed/ is dropped: too slow."]


def test_a_long_beginning_is_no_fault_of_the_clients() -> None:
    engine = make_engine(max_outbox=100)
    client = Client(engine)
    client.reads = False
    client.answer(stream("c"), b"x" * 500)
    publish(engine, stream_item("c", b"y" * 100))
    client.reads = True
    client.pump()
    assert client.data == b"x" * 500 + b"y" * 100
    assert client.exchange.outbox_size == 0


def test_keep_alives_for_a_client_that_does_not_read_have_an_end(engine: Engine) -> None:
    engine = make_engine(max_outbox_items=10)
    client = Client(engine)
    client.answer(stream("c", keep_alive="x", keep_alive_timeout=1))
    client.reads = False
    client.wake(100.0)
    assert list(client.exchange.outbox) == [Abort("too slow")]


def test_too_much_for_the_time_of_a_fetch_drops_the_client(caplog: pytest.LogCaptureFixture) -> None:
    engine = make_engine(max_outbox_items=10)
    client = Client(engine)
    client.answer(stream("c", next_link="/n"))
    publish(engine, stream_item("c", action="hint"), *[stream_item("c") for _ in range(11)])
    assert client.effects == [Begin(200, []), Abort("too much was published while its next link was asked")]
    client.exchange.receive_response(answer(stream("c")), 1.0)
    assert engine.exchanges == set()


def test_when_the_client_has_gone_its_gone_link_is_asked(engine: Engine) -> None:
    client = Client(engine, headers=[(b"cookie", b"secret"), (b"host", b"example.com")])
    client.answer(stream("c", gone_link="/gone?x"))
    client.leave()
    (ask,) = client.gone
    assert (ask.purpose, ask.method, ask.path, ask.query, ask.body) == ("gone", "POST", b"/gone", b"x", b"")
    assert [name for name, _ in ask.headers] == [b"host", b"grip-feature"]
    assert (client.exchange.done, engine.exchanges, engine.hub._subscriptions) == (True, set(), {})
    client.leave()
    client.exchange.pass_through()
    client.pump()
    assert len(client.gone) == 1


@pytest.mark.parametrize("end", ["close", "slow", "gone"])
def test_the_gone_link_is_the_first_answers_and_is_asked_however_the_stream_ends(end: str) -> None:
    engine = make_engine(max_outbox_items=3)
    client = Client(engine)
    client.answer(stream("c", next_link="/n", gone_link="/gone"))
    publish(engine, stream_item("c", action="hint"))
    client.answer(stream("c", next_link="/n", gone_link="/another"))
    if end == "close":
        publish(engine, stream_item("c", action="close"))
    elif end == "slow":
        client.reads = False
        publish(engine, *[stream_item("c")] * 4)
    else:
        client.leave()
    assert [ask.path for ask in client.gone] == [b"/gone"]


def test_a_gone_link_to_elsewhere_is_not_asked(
    engine: Engine, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.answer(stream("c", gone_link="http://elsewhere.com/"))
    assert caplog.messages == [
        "The gone link of /feed/ will not be followed: Grip-Link: a link must lead to the host that the client asked, "
        "not to 'elsewhere.com'"
    ]
    publish(engine, stream_item("c", b"one"))
    client.leave()
    assert (client.data, client.gone) == (b"one", [])


def test_at_the_end_of_the_server_streams_end_and_nothing_is_asked(engine: Engine) -> None:
    held, asking, paging = Client(engine), Client(engine), Client(engine)
    held.answer(stream("c", gone_link="/gone"), b"open")
    asking.answer(stream("c", next_link="/n", gone_link="/gone"))
    paging.answer(Instruct(next_link="/n", gone_link="/gone"), b"one")
    publish(engine, stream_item("c", action="hint"))
    engine.shut_down(5.0)
    for client in (held, asking, paging):
        assert (client.has_ended, client.exchange.done, client.gone) == (True, True, [])


def test_after_the_end_of_the_server_a_stream_is_its_beginning(engine: Engine, client: Client) -> None:
    engine.shut_down(0.0)
    assert not client.exchange.done
    client.answer(stream("c", gone_link="/gone"), b"open")
    assert (client.effects, client.gone) == ([Begin(200, []), Chunk(b"open"), End()], [])


def test_a_client_that_goes_while_the_application_answers_is_forgotten(engine: Engine, client: Client) -> None:
    client.leave()
    client.exchange.receive_response(answer(stream("c", gone_link="/gone")), 1.0)
    client.pump()
    assert (client.effects, client.gone, engine.exchanges, engine.hub._subscriptions) == ([], [], set(), {})


def test_what_was_not_asked_yet_is_not_asked_of_a_client_that_has_gone(engine: Engine, client: Client) -> None:
    client.answer(stream("c", next_link="/n", gone_link="/gone"))
    client.exchange.notify = lambda: None
    publish(engine, stream_item("c", action="hint"))
    client.leave()
    assert (client.asks, [ask.path for ask in client.gone]) == ([], [b"/gone"])


def test_a_message_of_a_stream_has_one_effect() -> None:
    message = StreamMessage("send", b"x")
    assert message.effect is message.effect
    assert [StreamMessage(action, b"x").effect for action in ("hint", "close")] == [None, None]
