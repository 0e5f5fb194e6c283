"""`LongPollView`: who has the present version waits for the next one, and never for the time-out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from .backstage import Backstage
from .clients import http_client
from .engines import ENDS_TOGETHER
from .puppets import LIVE_SITE, PREFIX, logged_in
from .sites import Site

pytestmark = LIVE_SITE


@pytest.fixture(params=["document", "async-document"])
def document(request: pytest.FixtureRequest, channel: str) -> str:
    """The path of a document whose readers wait for five seconds; with sync methods, with async methods."""
    return f"/views/{request.param}/{channel}/"


def write(site: Site, channel: str, text: str, *, by: str = "changed", view: str = "write") -> None:
    """Store a new text, and let the readers know ``by`` ``changed``, an ``event``, or not at all."""
    answer = site.http.post(f"/views/{view}/{channel}/", data={"text": text}, params={"by": by})
    answer.raise_for_status()


def etag_of(site: Site, path: str) -> str:
    answer = site.http.get(path)
    answer.raise_for_status()
    return answer.headers["ETag"]


class Readers:
    """Clients that wait, each with a connection of its own and a thread."""

    def __init__(self, site: Site, stack: ExitStack) -> None:
        self._site = site
        self._stack = stack
        self._threads = stack.enter_context(ThreadPoolExecutor(8))

    def ask(self, path: str, etag: str, **options: Any) -> Future[httpx.Response]:
        client = self._stack.enter_context(http_client(self._site.url))
        return self._threads.submit(client.get, path, headers={"If-None-Match": etag}, **options)


@pytest.fixture
def readers(site: Site) -> Iterator[Readers]:
    with ExitStack() as stack:
        yield Readers(site, stack)


# -- versions ------------------------------------------------------------------------------------------------------


def test_a_reader_without_a_version_is_answered_at_once(site: Site, document: str, channel: str) -> None:
    write(site, channel, "first")
    answer = site.http.get(document, params={"who": "ada"})
    assert (answer.status_code, answer.json()) == (200, {"for": "ada", "text": "first"})
    assert answer.headers["ETag"] == '"first"'
    assert not [name for name in answer.headers if name.startswith("grip-")]


@pytest.mark.parametrize("known", ['"older"', 'W/"older"', '"a", "b"', "nonsense"])
def test_a_reader_with_another_version_is_answered_at_once(site: Site, document: str, channel: str, known: str) -> None:
    write(site, channel, "first")
    answer = site.http.get(document, headers={"If-None-Match": known})
    assert (answer.status_code, answer.json()["text"]) == (200, "first")


def test_who_knows_the_version_waits_and_is_answered_304_at_the_time_out(
    site: Site, channel: str, readers: Readers
) -> None:
    write(site, channel, "first")
    for_five_seconds = [
        readers.ask(path, known)
        for path in both_documents(channel)
        for known in ('"first"', 'W/"first"', '"older", "first"', "*")
    ]
    for answer in for_five_seconds:
        response = answer.result()
        assert (response.status_code, response.headers["ETag"], response.content) == (304, '"first"', b"")
        assert not [name for name in response.headers if name.startswith("grip-")]


def both_documents(channel: str) -> list[str]:
    return [f"/views/{view}/{channel}/" for view in ("document", "async-document")]


def test_a_head_request_does_not_wait(site: Site, document: str, channel: str) -> None:
    write(site, channel, "first")
    answer = site.http.head(document, headers={"If-None-Match": '"first"'})
    assert (answer.status_code, answer.headers["ETag"]) == (304, '"first"')
    # Pushpin 1.41 waits for a body where a HEAD is answered with the Content-Length of one. When the application then
    # ends the connection, as gunicorn does, it may say 502, and with a body itself.
    forgets_it_was_head = site.stack.has("1.41") and not site.stack.is_embedded
    client = site.direct if forgets_it_was_head else site.http
    answer = client.head(document, headers={"If-None-Match": '"older"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"first"')


def test_a_client_past_the_proxy_gets_the_document_and_cannot_wait(site: Site, document: str, channel: str) -> None:
    write(site, channel, "first")
    answer = site.direct.get(document)
    assert answer.json()["text"] == "first"
    waiting = site.direct.get(document, headers={"If-None-Match": answer.headers["ETag"]})
    assert (waiting.status_code, "behind a GRIP proxy" in waiting.text) == (501, True)


# -- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("view", "by"), [("write", "changed"), ("async-write", "changed"), ("write", "event")])
def test_a_change_answers_all_who_wait_each_with_its_own(
    site: Site, channel: str, readers: Readers, view: str, by: str
) -> None:
    path = f"/views/patient/{channel}/"
    write(site, channel, "first")
    etag = etag_of(site, path)
    waiting = {who: readers.ask(path, etag, params={"who": who}) for who in ("ada", "bob", "eve")}
    site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response", count=3)
    write(site, channel, "second", view=view, by=by)
    for who, answer in waiting.items():
        response = answer.result()
        assert (response.status_code, response.json()) == (200, {"for": who, "text": "second"})
        assert response.headers["ETag"] == '"second"'


def test_a_reader_sees_every_version_that_it_asks_for(site: Site, channel: str, readers: Readers) -> None:
    path = f"/views/patient/{channel}/"
    write(site, channel, "0")
    etag = etag_of(site, path)
    for number in range(1, 11):
        answer = readers.ask(path, etag)
        # Whether it waits already or is on its way, the change must reach it.
        write(site, channel, str(number))
        response = answer.result()
        assert response.json()["text"] == str(number)
        etag = response.headers["ETag"]


def test_a_hint_without_a_change_and_one_for_another_document_let_them_wait_on(
    site: Site, channel: str, readers: Readers
) -> None:
    answers = []
    for number, view in enumerate(["document", "async-document"]):
        # Each waits on a channel of its own, and for five seconds only.
        name = f"{channel}-{number}"
        write(site, name, "first")
        answers.append(readers.ask(f"/views/{view}/{name}/", '"first"'))
        site.wait_subscribed(f"{PREFIX}document:{name}", mode="response")
        write(site, name, "first")
    write(site, f"{channel}-other", "second")
    assert [answer.result().status_code for answer in answers] == [304, 304]


def test_a_document_without_a_version_is_hashed(site: Site, channel: str, readers: Readers) -> None:
    path = f"/views/hashed/{channel}/"
    write(site, channel, "first")
    answer = readers.ask(path, etag_of(site, path))
    site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
    write(site, channel, "second")
    response = answer.result()
    assert (response.text, response.headers["Content-Type"]) == ("second", "text/plain; charset=utf-8")


def test_who_waits_is_asked_who_it_is_again(site: Site, channel: str) -> None:
    path = f"/views/member-document/{channel}/"
    write(site, channel, "first")
    with logged_in(site, "ada") as ada, logged_in(site, "bob") as bob, ThreadPoolExecutor(2) as threads:
        etag = ada.get(path).headers["ETag"]
        waiting = [threads.submit(user.get, path, headers={"If-None-Match": etag}) for user in (ada, bob)]
        site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response", count=2)
        with http_client(site.url, timeout=60) as other_window:
            other_window.cookies = bob.cookies
            other_window.post("/views/log-out/").raise_for_status()
        write(site, channel, "second")
        for_ada, for_bob = (answer.result() for answer in waiting)
        assert for_ada.json() == {"for": "ada", "text": "second"}
        # Logged out meanwhile: a redirect to the log-in page.
        assert (for_bob.status_code, for_bob.content) == (302, b"")
        # Who logs in in that other window has a new session, whose cookie this late answer does not delete.
        assert "Set-Cookie" not in for_bob.headers


# -- the race ------------------------------------------------------------------------------------------------------


@pytest.mark.site(wsgi="gunicorn-threads")  # as three views stop at once
@pytest.mark.parametrize("known_channel", [False, True], ids=["first subscribers", "somebody waits already"])
def test_a_change_between_the_etag_and_the_hold_reaches_all_long_before_the_time_out(
    site: Site, channel: str, known_channel: bool
) -> None:
    """The time-out is five minutes, and every wait of this test has one."""
    path = f"/views/slow/{channel}/"
    backstage = Backstage(site, channel)
    write(site, channel, "first")
    with ExitStack() as stack:
        readers = Readers(site, stack)
        if known_channel:
            early = readers.ask(f"/views/patient/{channel}/", '"first"')
            site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        waiting = {who: readers.ask(path, '"first"', params={"who": who}) for who in ("ada", "bob", "eve")}
        backstage.wait_count(["has read the ETag"], 3)
        # All three have compared with "first", and none is held as yet: the hint goes by them.
        write(site, channel, "second")
        if known_channel:
            assert early.result().json()["text"] == "second"
        backstage.open_gate()
        for who, answer in waiting.items():
            assert answer.result().json() == {"for": who, "text": "second"}


@pytest.mark.site(wsgi="gunicorn-threads")
def test_a_change_while_a_reader_is_asked_for_an_earlier_hint_reaches_it_as_well(site: Site, channel: str) -> None:
    """The time-out is five minutes, as above."""
    backstage = Backstage(site, channel)
    write(site, channel, "first")
    with ExitStack() as stack:
        answer = Readers(site, stack).ask(f"/views/hinted/{channel}/", '"first"')
        # Its second look is over.
        backstage.wait_count(["has read the ETag"], 1 if site.stack.is_embedded else 2)
        site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        write(site, f"{channel}-stop", "yes")
        write(site, channel, "first")
        backstage.wait_count(["stops"], 1)
        # It has compared with "first", and is not held: this hint goes by it.
        write(site, channel, "second")
        write(site, f"{channel}-stop", "")
        backstage.open_gate()
        assert answer.result().json()["text"] == "second"


# -- a part of the whole goes away ---------------------------------------------------------------------------------


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_readers_outlive_a_restart_of_the_application(own_site: Site, channel: str) -> None:
    path = f"/views/noted/{channel}/"
    write(own_site, channel, "first")
    with ExitStack() as stack:
        readers = Readers(own_site, stack)
        waiting = []
        for who in ("ada", "bob", "eve"):
            waiting.append(readers.ask(path, '"first"', params={"who": who}))
            # Each is looked at a second time, soon after it is held; who is looked at while nobody is there gets a 502.
            Backstage(own_site, channel).wait_count(["waits", who], 2)
        own_site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response", count=3)
        own_site.app.restart()
        write(own_site, channel, "second")
        assert [answer.result().json()["text"] for answer in waiting] == ["second"] * 3


def test_readers_ask_again_after_a_restart_of_the_proxy(own_site: Site, channel: str) -> None:
    path = f"/views/patient/{channel}/"
    write(own_site, channel, "first")
    with ExitStack() as stack:
        readers = Readers(own_site, stack)
        answer = readers.ask(path, '"first"')
        own_site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        own_site.restart_proxy()
        if own_site.stack.is_embedded:
            # It takes its leave: there is nothing new.
            assert answer.result().status_code == 304
        else:
            with pytest.raises(httpx.TransportError):
                answer.result()
        answer = readers.ask(path, '"first"')
        own_site.wait_subscribed(f"{PREFIX}document:{channel}", mode="response")
        write(own_site, channel, "second")
        assert answer.result().json()["text"] == "second"
