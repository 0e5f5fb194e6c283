"""ATOMIC_REQUESTS: each hook call has a transaction of its own, on either stack and with hooks of either kind.

The database is a file, as threads and connections only there are what they are in production.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import Http404
from django.urls import path
from django.utils.decorators import method_decorator

from django_grip.views import LongPollView, StreamView, WebSocketView
from django_grip.views.flow import arun
from django_grip.views.transactions import find_atomic_databases

from ..fake_proxy import close, events_of, proxied, sent, text
from .conftest import body_of
from .test_websocket_messages import closing

FILES = ("files", "more_files")


@pytest.fixture
def databases(tmp_path, django_db_blocker):
    """Two databases in files, of a project with ATOMIC_REQUESTS; each has a table of words."""
    for alias in FILES:
        settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / alias, "ATOMIC_REQUESTS": True}
        connections.settings[alias] = connections.configure_settings({**connections.settings, alias: settings})[alias]
    with django_db_blocker.unblock():
        for alias in FILES:
            with connections[alias].cursor() as cursor:
                cursor.execute("CREATE TABLE words (word TEXT UNIQUE)")
        yield SimpleNamespace(words=words, write=write)
        forget()
        # Sync code of an async stack has a thread, and so a connection, of its own.
        asyncio.run(sync_to_async(forget)())
    for alias in FILES:
        del connections.settings[alias]


def forget():
    for alias in FILES:
        connections[alias].close()
        delattr(connections._connections, alias)


def write(word, alias="files"):
    with connections[alias].cursor() as cursor:
        cursor.execute("INSERT INTO words VALUES (%s)", [word])


def words(alias="files"):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT word FROM words ORDER BY rowid")
        return [word for (word,) in cursor.fetchall()]


class Writer(WebSocketView):
    """Writes each message into both databases; some fail behind that."""

    def on_message(self, message):
        for alias in FILES:
            assert connections[alias].in_atomic_block
            write(message, alias)
        if message == "404":
            raise Http404
        if message == "too much":
            self.state["a"] = "x" * 10_000
        if message == "nonsense":
            return "nonsense"
        return None


@pytest.fixture
def opened(routes, connect, databases):
    def make(view=Writer):
        routes.add("ws/", view)
        ws = connect("/ws/")
        assert ws.open().status_code == 200
        return ws

    return make


@pytest.mark.parametrize(("failing", "code"), [("404", 4404), ("too much", 1011), ("nonsense", 1011), ("a", 1011)])
def test_a_failing_hook_is_rolled_back_and_the_messages_before_it_stay(opened, failing, code):
    ws = opened()
    response = ws.send(text("a"), text("b"), text(failing), text("never seen"))
    assert closing(response)[0] == code
    assert words("files") == words("more_files") == ["a", "b"]


def test_on_error_has_a_transaction_of_its_own(opened):
    class View(Writer):
        def on_error(self, error):
            assert connections["files"].in_atomic_block
            write(f"failed: {type(error).__name__}")

    ws = opened(View)
    assert events_of(ws.send(text("a"), text("404"), text("b"))) == []
    assert words() == ["a", "failed: Http404", "b"]


def test_an_opening_that_fails_leaves_nothing(routes, connect, databases):
    class View(WebSocketView):
        def on_open(self):
            write("opened")
            raise Http404

    routes.add("ws/", View)
    assert connect("/ws/").open().status_code == 404
    assert words() == []


def test_a_rejected_opening_keeps_what_it_wrote(routes, connect, databases):
    """As a view that returns a 403 does."""

    class View(WebSocketView):
        def on_open(self):
            write("tried")
            return self.reject(403)

    routes.add("ws/", View)
    assert connect("/ws/").open().status_code == 403
    assert words() == ["tried"]


def test_what_waits_for_the_commit_happens_after_each_hook(opened):
    class View(WebSocketView):
        def on_message(self, message):
            write(message)
            transaction.on_commit(lambda: log.append(words()), using="files")
            if message == "404":
                raise Http404

    log = []
    opened(View).send(text("a"), text("b"), text("404"))
    assert log == [["a"], ["a", "b"]]


def test_publishing_can_wait_for_the_commit(opened, published):
    class View(WebSocketView):
        channels = ["all"]

        def on_message(self, message):
            self.publish(message, on_commit="files")
            assert message not in [entry.websocket for entry in published]
            if message == "404":
                raise Http404

    opened(View).send(text("a"), text("404"))
    assert [entry.websocket for entry in published] == ["a"]


def test_every_hook_has_its_transaction(opened):
    class View(WebSocketView):
        def on_refresh(self):
            write("refresh")
            raise Http404

        def on_close(self, code, reason):
            write("close")
            raise Http404

        def on_error(self, error):
            pass

    ws = opened(View)
    ws.send()
    ws.send(close(1000))
    assert words() == []


def test_async_hooks_use_the_orm_inside_of_their_transaction(connect, routes, databases):
    class View(WebSocketView):
        async def on_message(self, message):
            await sync_to_async(write)(message)
            await asyncio.sleep(0)
            await sync_to_async(write)(message + "!")
            if message == "404":
                raise Http404
            self.send(str(await sync_to_async(lambda: connections["files"].in_atomic_block)()))

    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    response = ws.send(text("a"), text("404"))
    assert sent(events_of(response)) == [b"True"]
    assert words() == ["a", "a!"]


def test_an_async_hook_that_is_cancelled_is_rolled_back(databases, settings):
    """As when the server gives a request up."""

    class View(WebSocketView):
        async def on_message(self, message):
            await sync_to_async(write)(message)
            raise asyncio.CancelledError

    view = View()
    view._atomic_databases = ["files"]
    view.after_hook = lambda function, result: None
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(arun(view.call_hook(view.on_message, "a")))
    assert words() == []
    assert not asyncio.run(sync_to_async(lambda: connections["files"].in_atomic_block)())


def test_a_view_can_exempt_a_database(opened):
    @method_decorator(transaction.non_atomic_requests(using="files"), name="dispatch")
    class View(WebSocketView):
        def on_message(self, message):
            self.send(f"{[connections[alias].in_atomic_block for alias in FILES]}")

    assert sent(events_of(opened(View).send(text("x")))) == [b"[False, True]"]


def test_a_route_can_exempt_a_database(routes, connect, databases):
    class View(WebSocketView):
        def on_message(self, message):
            self.send(f"{[connections[alias].in_atomic_block for alias in FILES]}")

    routes.urlpatterns.append(path("ws/", transaction.non_atomic_requests(using="files")(View.as_view())))
    ws = connect("/ws/")
    ws.open()
    assert sent(events_of(ws.send(text("x")))) == [b"[False, True]"]


def test_a_view_whose_init_takes_only_what_it_knows_is_served(opened):
    class View(WebSocketView):
        def __init__(self):
            super().__init__()

        def on_message(self, message):
            self.send(message)

    assert sent(events_of(opened(View).send(text("x")))) == [b"x"]


def test_without_atomic_requests_there_are_no_transactions(routes, connect):
    assert find_atomic_databases() == []

    class View(WebSocketView):
        def on_message(self, message):
            self.send(f"{connections['default'].in_atomic_block}")

    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    assert sent(events_of(ws.send(text("x")))) == [b"False"]


def test_a_streams_hooks_have_their_transactions(routes, http, databases):
    class View(StreamView):
        channels = ["all"]

        def on_open(self):
            write("opened")
            return "hello"

        def on_message(self, message):
            write(message)
            raise Http404

    routes.add("x/", View)
    assert body_of(http.get("/x/", headers=proxied())) == b"hello"
    assert http.post("/x/", "lost", content_type="text/plain").status_code == 404
    assert words() == ["opened"]


def test_a_long_poll_reads_outside_of_a_transaction(routes, http, databases):
    class View(LongPollView):
        channels = ["all"]

        def get_etag(self):
            return f"{connections['files'].in_atomic_block}"

        def get_payload(self):
            return words()

    write("a")
    routes.add("x/", View)
    response = http.get("/x/", headers=proxied())
    assert (response.content, response["ETag"]) == (b'["a"]', '"False"')
