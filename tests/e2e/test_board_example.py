"""The board, on every engine, with real clients: its notes, its room, its document and its assistant."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from .clients import receive
from .servers import ROOT, Project
from .sites import Site
from .waiting import PATIENCE, wait_until

EXAMPLE = Project(package="", directory=ROOT / "examples" / "board", ready="/")

# One site serves all tests of this file, so each makes up names of its own.
pytestmark = [
    pytest.mark.site(
        project=EXAMPLE,
        env={"DJANGO_SETTINGS_MODULE": "tests.e2e.example_settings"},
        settings={"ASSISTANT_PAUSE": 0},
    ),
]


@pytest.fixture
def board(site: Site) -> Site:
    """The site, with its tables, and without the clients of the test before."""
    if not (site.app.directory / "db.sqlite3").exists():
        command = [sys.executable, str(EXAMPLE.directory / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(command, env=site.app.environment(), cwd=ROOT, check=True, timeout=PATIENCE)
    for channel, mode in (("room", "ws"), ("board", "stream")):
        site.wait_subscribed(channel, mode=mode, count=0)
    return site


def make_name() -> str:
    return secrets.token_hex(5)


def csrf(site: Site) -> dict[str, str]:
    if "csrftoken" not in site.http.cookies:
        site.http.get("/")
    return {"X-CSRFToken": site.http.cookies["csrftoken"]}


# -- the room --------------------------------------------------------------------------------------------------------


def enter(site: Site, window: str, name: str, *, as_number: int = 1) -> Any:
    """Enter the room, and hear what is said there from now on; as_number: so many are there then."""
    ws = site.ws(f"/room/?window={window}&name={name}")
    site.wait_subscribed("room", mode="ws", count=as_number)
    return ws


def tell(ws: Any, **message: Any) -> None:
    ws.send(json.dumps(message))


def next_with(ws: Any, key: str) -> Any:
    """The next message that has this key."""
    while key not in (news := json.loads(receive(ws))):
        pass
    return news


def texts(news: Any) -> list[str]:
    return [message["text"] for message in news["messages"]]


def test_the_room_knows_who_is_there(board: Site) -> None:
    one, two = make_name(), make_name()
    with enter(board, one, "ada") as ada:
        tell(ada, since=0)
        while {"window": one, "name": "ada"} not in next_with(ada, "people")["people"]:
            pass
        with enter(board, two, "bob", as_number=2) as bob:
            while {"window": two, "name": "bob"} not in next_with(ada, "people")["people"]:
                pass
            tell(bob, name="  rob   the second, whose name is too long ")
            while {"window": two, "name": "rob the second, whos"} not in next_with(ada, "people")["people"]:
                pass
        while any(person["window"] == two for person in next_with(ada, "people")["people"]):
            pass


def test_a_window_that_is_back_before_its_old_connection_has_ended_stays_there(board: Site) -> None:
    window, other = make_name(), make_name()
    with enter(board, other, "watcher") as watcher, ExitStack() as old:
        old.enter_context(enter(board, window, "ada", as_number=2))
        with enter(board, window, "ada", as_number=3) as new:
            # It is open, so it is the one that the window has now.
            tell(new, since=0)
            next_with(new, "messages")
            while not any(person["window"] == window for person in next_with(watcher, "people")["people"]):
                pass
            # Ended once the application has answered the close.
            old.close()
            tell(new, since=0)
            # Its own answer. What is published may be older, as two processes do it.
            assert {"window": window, "name": "ada"} in next_with(new, "messages")["people"]
            tell(new, name="ada again")
            while {"window": window, "name": "ada again"} not in next_with(watcher, "people")["people"]:
                pass


def test_what_is_said_twice_is_heard_once(board: Site) -> None:
    with enter(board, make_name(), "ada") as ada, enter(board, make_name(), "bob", as_number=2) as bob:
        key, then = make_name(), make_name()
        tell(ada, say=" hello ", key=key)
        said = next_with(ada, "messages")["messages"][0]
        assert (said["text"], said["name"], said["key"]) == ("hello", "ada", key)
        # As after a lost answer: only who says it again is answered.
        tell(ada, say="hello", key=key)
        assert next_with(ada, "messages")["messages"] == [said]
        tell(ada, say="and now", key=then)
        assert [texts(next_with(bob, "messages")) for _ in range(2)] == [["hello"], ["and now"]]


def test_who_comes_back_hears_what_was_said_meanwhile(board: Site) -> None:
    with enter(board, make_name(), "ada") as ada:
        ids = []
        for text in ("one", "two", "three"):
            tell(ada, say=text, key=make_name())
            ids.append(next_with(ada, "messages")["messages"][0]["id"])
        with enter(board, make_name(), "bob", as_number=2) as bob:
            tell(bob, since=ids[0])
            assert texts(next_with(bob, "messages")) == ["two", "three"]


def test_a_pointer_is_shown_to_the_others_only(board: Site) -> None:
    window = make_name()
    with enter(board, window, "ada") as ada, enter(board, make_name(), "bob", as_number=2) as bob:
        tell(ada, pointer=[0.25, 1])
        assert next_with(bob, "pointer") == {"pointer": [0.25, 1], "window": window}
        tell(ada, say="done", key=make_name())
        while "messages" not in (news := json.loads(receive(ada))):
            assert "pointer" not in news


@pytest.mark.parametrize(
    "message",
    [
        [],
        "hello",
        None,
        {"say": ""},
        {"say": "no key"},
        {"say": "a key of another kind", "key": "1234"},
        {"say": ["hello"], "key": "0123456789"},
        {"pointer": [1]},
        {"pointer": ["1", "2"]},
        {"name": 1},
        {"since": "now"},
    ],
    ids=str,
)
def test_what_the_room_does_not_know_is_passed_over(board: Site, message: Any) -> None:
    with enter(board, make_name(), "ada") as ada:
        ada.send(json.dumps(message))
        key = make_name()
        tell(ada, say="still here", key=key)
        assert next_with(ada, "messages")["messages"][0]["key"] == key


def test_a_huge_number_of_the_last_message_is_one_that_nothing_came_after(board: Site) -> None:
    with enter(board, make_name(), "ada") as ada:
        tell(ada, since=10**30)
        assert texts(next_with(ada, "messages")) == []


@pytest.mark.parametrize("query", ["", "?window=", "?window=abc", "?window=ABCDEFGHIJ", "?window=0123456789%0A"])
def test_who_does_not_say_which_window_it_is_is_not_let_in(board: Site, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused, board.ws("/room/" + query):
        pass
    assert refused.value.response.status_code == 400
    assert refused.value.response.body == b"Say which window this is: ?window=<10 letters and digits>"


# -- the notes -------------------------------------------------------------------------------------------------------


def change(site: Site, **fields: Any) -> Any:
    return site.http.post("/board/", content=json.dumps(fields), headers={**csrf(site), "Content-Type": "text/plain"})


def next_of(events: Any, note: str) -> Any:
    """The next change of a note."""
    while (event := next(events)).event != "note" or event.json()["id"] != note:
        pass
    return event


def test_a_change_of_a_note_reaches_every_stream(board: Site) -> None:
    note = make_name()
    with board.events("/board/") as one, board.events("/board/") as two:
        for events in (one, two):
            next(events)
        board.wait_subscribed("board", mode="stream", count=2)
        assert change(board, id=note, text="hello", x=0.25, y=1, color="rose", by="ada").status_code == 204
        # Before the next, as two processes publish each in an order of its own.
        firsts = [next_of(events, note) for events in (one, two)]
        assert change(board, id=note, x=0.5).status_code == 204
        for first, second in zip(firsts, (next_of(events, note) for events in (one, two)), strict=True):
            assert first.json() == {
                **{"id": note, "version": int(first.id), "text": "hello", "color": "rose", "x": 0.25, "y": 1.0},
                **{"by": "ada", "gone": False},
            }
            assert second.json() == {**first.json(), "version": int(second.id), "x": 0.5}
            assert int(second.id) > int(first.id)


def test_a_stream_that_comes_back_hears_what_it_missed(board: Site) -> None:
    note, other = make_name(), make_name()
    change(board, id=note, text="here")
    change(board, id=other, text="there")
    with board.events("/board/") as events:
        last = next_of(events, other).id
    change(board, id=note, gone=True)
    with board.events("/board/", headers={"Last-Event-ID": last}) as events:
        while not next_of(events, note).json()["gone"]:
            pass
    with board.events("/board/") as events:
        # Who comes for the first time need not hear of what is gone.
        seen = [next(events).json()["id"]]
        while seen[-1] != other:
            seen.append(next(events).json()["id"])
        assert note not in seen
    looked = board.http.get(f"/board/notes/?since={last}").json()["notes"]
    assert [found["gone"] for found in looked if found["id"] == note] == [True]


@pytest.mark.parametrize("last", ["999999", "9" * 5000, "yesterday"], ids=["later", "huge", "word"])
def test_a_stream_that_knows_another_board_begins_anew(board: Site, last: str) -> None:
    note = make_name()
    change(board, id=note, text="first")
    with board.events("/board/", headers={"Last-Event-ID": last}) as events:
        assert next(events).event == "reset"
        assert next_of(events, note).json()["text"] == "first"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"id": 7}',
        '{"id": "short"}',
        '{"id": "0123456789", "x": 1.5}',
        '{"id": "0123456789", "x": NaN}',
        '{"id": "0123456789", "x": -Infinity}',
        '{"id": "0123456789", "x": 1' + "0" * 400 + "}",
        '{"id": "0123456789", "x": "left"}',
        '{"id": "0123456789", "x": null}',
        '{"id": "0123456789", "gone": "perhaps"}',
        '{"id": "0123456789", "color": "black"}',
        '{"id": "0123456789", "text": null}',
        '{"id": "0123456789", "text": "' + "x" * 121 + '"}',
        '{"id": "0123456789", "text": "\\ud800"}',
        '{"id": "0123456789", "by": "' + "x" * 21 + '"}',
        "[" * 2000,
    ],
)
def test_what_is_no_change_of_a_note_is_refused(board: Site, body: str) -> None:
    answer = board.http.post("/board/", content=body, headers={**csrf(board), "Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == (400, "This is not a change of a note.")
    assert "0123456789" not in board.http.get("/board/notes/").text


def test_a_change_without_a_csrf_token_is_refused(board: Site) -> None:
    assert board.http.post("/board/", json={"id": make_name()}).status_code == 403


def test_a_full_board_takes_no_further_note(board: Site) -> None:
    made = []
    while (answer := change(board, id=(name := make_name()))).status_code == 204:
        made.append(name)
    assert (answer.status_code, answer.text) == (409, "The board is full: take a note away first.")
    try:
        assert change(board, id=made[0], x=0.1).status_code == 204
    finally:
        for name in made:
            assert change(board, id=name, gone=True).status_code == 204


# -- the document ----------------------------------------------------------------------------------------------------


def save(site: Site, text: str, known: object) -> Any:
    return site.http.post("/document/save/", data={"text": text, "known": str(known)}, headers=csrf(site))


def test_who_waits_for_the_document_gets_its_next_version(board: Site) -> None:
    first = board.http.get("/document/")
    version = first.json()["version"]
    with board.in_background(board.http.get, "/document/", headers={"If-None-Match": first.headers["ETag"]}) as waiting:
        board.wait_subscribed("document", mode="response")
        text = make_name()
        assert save(board, text, version).json() == {"saved": True, "version": version + 1}
        second = waiting.result(PATIENCE)
    assert second.json() == {"text": text, "version": version + 1}
    assert second.headers["ETag"] != first.headers["ETag"]


def test_a_version_that_is_not_the_next_one_is_answered_with_the_present_one(board: Site) -> None:
    present = board.http.get("/document/").json()
    answer = save(board, "too late", present["version"] - 1)
    assert (answer.status_code, answer.json()) == (200, {"saved": False, **present})


@pytest.mark.parametrize(("text", "known"), [("x" * 10_001, 1), ("x", ""), ("x", "-1"), ("x", "1" * 10), ("x", "²")])
def test_what_is_no_version_is_refused(board: Site, text: str, known: object) -> None:
    assert save(board, text, known).status_code == 400


# -- the assistant ---------------------------------------------------------------------------------------------------


def consult(site: Site) -> Any:
    """Open the assistant. What it says before the proxy has subscribed a connection to its own channel is lost."""
    before = names_of_connections(site)
    ws = site.ws("/assistant/")
    wait_until(lambda: names_of_connections(site) - before, "the connection is subscribed to its own channel")
    return ws


def names_of_connections(site: Site) -> set[str]:
    return {channel for channel, count in site.subscribers("ws").items() if count}


def answer_to(ws: Any, key: int) -> str:
    words = []
    while not (news := json.loads(receive(ws))).get("done"):
        assert news["key"] == key
        words.append(news["word"])
    assert news == {"done": True, "key": key}
    return " ".join(words)


def test_the_assistant_speaks_to_the_one_who_asked(board: Site) -> None:
    with consult(board) as asking, consult(board) as other:
        tell(asking, ask="Will it rain?", key=7)
        assert answer_to(asking, 7).startswith("You asked: “Will it rain?”. I am a thread in a Django process")
        tell(other, ask="How does this page work?", key=1)
        assert answer_to(other, 1).startswith("Four connections are open from this window.")


def test_the_assistant_tells_what_is_on_the_board_and_who_is_here(board: Site) -> None:
    change(board, id=make_name(), text="remember the milk")
    with consult(board) as asking, enter(board, make_name(), "ada") as ada:
        tell(asking, ask="What is on the board?", key=1)
        assert answer_to(asking, 1).endswith("The last that changed says: “remember the milk”")
        tell(ada, since=0)
        next_with(ada, "people")
        tell(asking, ask="Who is here?", key=2)
        assert "windows are open here" in (said := answer_to(asking, 2)) or said.startswith("Only you.")


def test_the_assistant_puts_a_note_up_for_everybody(board: Site) -> None:
    with board.events("/board/") as events, consult(board) as asking:
        next(events)
        board.wait_subscribed("board", mode="stream")
        tell(asking, ask="Put up a note", key=1)
        while (note := next(events).json())["by"] != "Assistant":
            pass
        assert note["color"] == "leaf"
        assert answer_to(asking, 1).startswith("There it is, the green one.")
        assert change(board, id=note["id"], gone=True).status_code == 204


@pytest.mark.parametrize("message", [[], {"ask": "no key"}, {"ask": 1, "key": 1}, {"ask": "x", "key": "1"}], ids=str)
def test_what_the_assistant_is_not_asked_rightly_it_passes_over(board: Site, message: Any) -> None:
    with consult(board) as asking:
        asking.send(json.dumps(message))
        tell(asking, ask="How?", key=2)
        assert answer_to(asking, 2)


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_page_takes_nothing_from_elsewhere(board: Site) -> None:
    page = board.http.get("/")
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert "https://" not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src="/static/board/')
    assert "style=" not in page.text
    for name in ("page.js", "page.css", "icon.svg"):
        assert board.http.get(f"/static/board/{name}").status_code == 200
