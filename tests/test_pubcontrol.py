"""get_pubcontrol(): a GripPubControl on which every method works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import gripcontrol
import pubcontrol
import pytest
from django.test import override_settings

from django_grip import Event, HttpStreamFormat, Item, PublishError, get_pubcontrol, publish
from django_grip import publisher as publishing
from django_grip.exceptions import GripUrlError, NoProxy, PublisherClosed
from django_grip.pubcontrol import GripPubControl, HttpProxyClient
from tests.publishing.conftest import MakeServer, make_server
from tests.publishing.servers import PATIENCE, ControlServer, answer, gated

__all__ = ["make_server"]

SECRET = "a-key-that-is-long-enough-for-hs256-0123456789"


@pytest.fixture
def server(make_server: MakeServer) -> ControlServer:
    return make_server()


@pytest.fixture
def control(server: ControlServer) -> Iterator[GripPubControl]:
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        yield get_pubcontrol()


def item(content: str = "hello", **options: Any) -> pubcontrol.Item:
    return pubcontrol.Item(gripcontrol.HttpStreamFormat(content), **options)


def test_it_is_a_grippubcontrol_and_always_the_same(control: GripPubControl) -> None:
    assert isinstance(control, gripcontrol.GripPubControl)
    assert isinstance(control, pubcontrol.PubControl)
    assert get_pubcontrol() is control


def test_every_method_of_the_original_is_there(control: GripPubControl) -> None:
    original = {name for name in dir(gripcontrol.GripPubControl) if not name.startswith("_")}
    assert original == {
        "SubCallbackHandler",
        "add_client",
        "apply_config",
        "apply_grip_config",
        "close",
        "finish",
        "http_call",
        "publish",
        "publish_http_response",
        "publish_http_stream",
        "remove_all_clients",
        "set_origin",
        "wait_all_sent",
    }
    assert original <= set(dir(control))


def test_publish_sends_in_the_background(control: GripPubControl, server: ControlServer) -> None:
    told: list[Any] = []
    control.publish("room", item("1"), callback=lambda *result: told.append(result))
    control.wait_all_sent()
    assert (server.contents("room"), told) == (["1"], [(True, None)])


def test_publish_blocking_raises_and_calls_back(control: GripPubControl, server: ControlServer) -> None:
    told: list[Any] = []
    server.behave = answer(401)
    with pytest.raises(PublishError, match="it answered 401"):
        control.publish("room", item(), blocking=True, callback=lambda *result: told.append(result))
    assert [success for success, _ in told] == [False]


@override_settings(GRIP_PREFIX="app-")
def test_the_channel_is_taken_as_it_is(control: GripPubControl, server: ControlServer) -> None:
    control.publish("room", item(), blocking=True)
    publish("room", HttpStreamFormat("x"), blocking=True)
    assert [taken["channel"] for taken in server.taken] == ["room", "app-room"]


def test_the_short_forms_work(control: GripPubControl, server: ControlServer) -> None:
    control.publish_http_stream("room", "text", id="2", prev_id="1")
    control.publish_http_stream("room", gripcontrol.HttpStreamFormat(close=True), blocking=True)
    control.publish_http_response("room", "body", blocking=True)
    control.publish_http_response("room", gripcontrol.HttpResponseFormat(code=404, body=b"\xff"), blocking=True)
    assert [taken["formats"] for taken in server.taken] == [
        {"http-stream": {"content": "text"}},
        {"http-stream": {"action": "close"}},
        {"http-response": {"body": "body"}},
        {"http-response": {"code": 404, "body-bin": "/w=="}},
    ]
    assert (server.taken[0]["id"], server.taken[0]["prev-id"]) == ("2", "1")


@pytest.mark.parametrize("name", ["wait_all_sent", "finish"])
def test_waiting_waits_for_items_and_their_callbacks(make_server: MakeServer, name: str) -> None:
    gate, told = threading.Event(), []
    server = make_server(gated(gate))
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        control = get_pubcontrol()
        for _ in range(10):
            control.publish("room", item(), callback=lambda *result: told.append(result))
        gate.set()
        getattr(control, name)()
    assert (len(server.taken), len(told)) == (10, 10)


def test_a_callback_may_wait_for_all_to_be_sent(control: GripPubControl, server: ControlServer) -> None:
    done = threading.Event()

    def callback(success: bool, message: str | None) -> None:
        control.publish("room", item("second"))
        control.wait_all_sent()
        done.set()

    control.publish("room", item("first"), callback=callback)
    assert done.wait(PATIENCE)
    assert server.contents() == ["first", "second"]


def test_clients_are_listed(control: GripPubControl, server: ControlServer) -> None:
    [client] = control.clients
    assert isinstance(client, HttpProxyClient)
    assert (client.uri, repr(client)) == (server.url, f"<HttpProxyClient {server.url}>")


def test_one_client_may_be_published_to(make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    with override_settings(GRIP_PROXIES=[{"control_uri": first.url}, {"control_uri": second.url}]):
        control = get_pubcontrol()
        client = control.clients[1]
        client.publish("room", item("blocking"), blocking=True)
        client.publish("room", item("not"))
        client.wait_all_sent()
        client.finish()
        assert (first.contents(), second.contents()) == ([], ["blocking", "not"])
        client.close()
        control.publish("room", item("first"), blocking=True)
    assert (first.contents(), second.contents()) == (["first"], ["blocking", "not"])


@pytest.mark.parametrize(
    ("change", "header"),
    [
        (lambda client: client.set_auth_basic("user", "pass"), "Basic dXNlcjpwYXNz"),
        (lambda client: client.set_auth_bearer("token"), "Bearer token"),
        (lambda client: client.set_auth_jwt({"iss": "realm"}, SECRET), "Bearer ey"),
    ],
    ids=["basic", "bearer", "jwt"],
)
def test_the_authority_of_a_client_can_be_changed(
    control: GripPubControl, server: ControlServer, change: Callable[[Any], None], header: str
) -> None:
    change(control.clients[0])
    control.publish("room", item(), blocking=True)
    assert server.requests[0].headers["authorization"].startswith(header)


def test_clients_are_removed_and_added(control: GripPubControl, server: ControlServer, make_server: MakeServer) -> None:
    control.publish("room", item("before"))
    [client] = control.clients
    control.remove_all_clients()
    assert (control.clients, server.contents()) == ([], ["before"])
    with pytest.raises(NoProxy):
        control.publish("room", item())
    with pytest.raises(NoProxy):
        publish("room", HttpStreamFormat("x"))
    control.add_client(client)
    control.publish("room", item("again"), blocking=True)
    assert server.contents() == ["before", "again"]


def test_configuration_adds_clients(control: GripPubControl, make_server: MakeServer) -> None:
    second, third, fourth = make_server(), make_server(), make_server()
    control.apply_grip_config({"control_uri": second.url, "control_iss": "realm", "key": SECRET})
    control.apply_grip_config([{"control_uri": third.url, "key": "token"}])
    control.apply_config([{"uri": fourth.url}, {}])
    control.publish("room", item(), blocking=True)
    publish("room", HttpStreamFormat("x"), blocking=True)
    assert [len(other.taken) for other in (second, third, fourth)] == [2, 2, 2]
    assert second.requests[0].headers["authorization"].startswith("Bearer ey")
    assert third.requests[0].headers["authorization"] == "Bearer token"


def test_a_configuration_that_is_wrong_adds_nothing(control: GripPubControl, make_server: MakeServer) -> None:
    with pytest.raises(GripUrlError):
        control.apply_config([{"uri": make_server().url}, {"uri": "ftp://nowhere"}])
    assert len(control.clients) == 1


def test_a_client_of_pubcontrol_is_published_to(
    control: GripPubControl, server: ControlServer, make_server: MakeServer
) -> None:
    other = make_server()
    client = pubcontrol.PubControlClient(other.url)
    control.add_client(client)
    publication = control.publish("room", item("x", id="2", prev_id="1", meta={"a": "b"}), blocking=True)
    assert {result.url for result in publication.results} == {server.url, other.url}
    [taken] = other.taken
    assert {name: taken[name] for name in ("channel", "id", "prev-id", "meta", "http-stream")} == {
        "channel": "room",
        "id": "2",
        "prev-id": "1",
        "meta": {"a": "b"},
        "http-stream": {"content": "x"},
    }
    control.remove_all_clients()
    assert client.closed
    client.requests_session.close()  # type: ignore[attr-defined]


class OwnClient:
    """A client of the application's own. `fails`: how often it raises first."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.published: list[tuple[str, dict[str, Any], bool]] = []

    def publish(self, channel: str, item: pubcontrol.Item, blocking: bool = False, callback: Any = None) -> None:
        if self.fails:
            self.fails -= 1
            raise ValueError("no luck at http://user:s3cret@h/?key=s3cret")
        self.published.append((channel, item.export(True, True), blocking))


def test_a_client_of_the_applications_own_is_published_to_and_tried_again(control: GripPubControl) -> None:
    client = OwnClient(fails=2)
    control.add_client(client)
    control.publish("room", Item(HttpStreamFormat(b"\xff\x00"), id="1"), blocking=True)
    # In this form the proxy takes bytes as they are.
    assert client.published == [("room", {b"id": b"1", b"formats": {b"http-stream": {b"content": b"\xff\x00"}}}, True)]


def test_what_events_publish_reaches_a_client_of_the_applications_own(control: GripPubControl) -> None:
    client = OwnClient()
    control.add_client(client)
    publish("room", Event(1), blocking=True)
    assert set(client.published[0][1][b"formats"]) == {b"http-stream", b"ws-message", b"http-response"}  # type: ignore[index]


def test_http_call_asks_every_client(control: GripPubControl, server: ControlServer, make_server: MakeServer) -> None:
    server.behave = answer(200, "fine", headers="X-Test: yes\r\n")
    other = make_server(answer(404, "nothing here"))
    control.apply_config({"uri": other.url})
    control.add_client(OwnClient())  # has no http_call
    answers = control.http_call("/http/default/", {"host": "h"}, {"X-Own": "1"})
    first, second = control.clients[:2]
    assert answers[first][0] == 200
    assert answers[first][1]["x-test"] == "yes"
    assert answers[first][2] == "fine"
    [error] = answers[second]
    assert str(error) == error.message == "failed during http call: it answered 404: nothing here"
    assert server.requests[0].headers["x-own"] == "1"


def test_set_origin_works(control: GripPubControl, server: ControlServer) -> None:
    control.set_origin(host="h", port=80)
    request = server.requests[0]
    assert request.target == "/http/default/"
    assert request.body == b"host=h&port=80&rewrite_host=true&over_http=true"


def test_set_origin_says_what_went_wrong(control: GripPubControl, server: ControlServer) -> None:
    server.behave = answer(404, "no")
    with pytest.raises(
        ValueError, match=r"failed to set origin for service .*: failed during http call: it answered 404: no"
    ):
        control.set_origin(host="h", port=80)


def test_close_sends_what_is_queued_and_nothing_goes_after_it(control: GripPubControl, server: ControlServer) -> None:
    control.publish("room", item("last"))
    control.close()
    assert (server.contents(), control.closed) == (["last"], True)
    for call in (
        lambda: control.publish("room", item()),
        lambda: publish("room", HttpStreamFormat("x")),
        lambda: control.add_client(OwnClient()),
        control.wait_all_sent,
        control.remove_all_clients,
    ):
        with pytest.raises(PublisherClosed):
            call()
        with pytest.raises(ValueError, match="closed"):  # what pubcontrol raises
            call()
    control.close()


def test_pubcontrol_does_not_end_it_in_its_own_way(control: GripPubControl) -> None:
    from pubcontrol import pubcontrol as module  # type: ignore[attr-defined]

    assert control not in module._pubcontrols


def test_it_follows_the_settings(control: GripPubControl, make_server: MakeServer) -> None:
    other = make_server()
    with override_settings(GRIP_PROXIES=[{"control_uri": other.url}]):
        assert get_pubcontrol() is not control
        assert [client.uri for client in get_pubcontrol().clients] == [other.url]
    assert publishing.get_publisher() is not control._publisher
