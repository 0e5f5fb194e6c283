"""Long-polls of a live viewset: who has the present ETag and would wait."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle

from django_grip import Event, guard, publish, set_hold_longpoll
from django_grip.request import GripData
from django_grip.rest.http.longpoll import is_replay
from django_grip.testing import AsyncGripClient, GripClient

from ..fake_proxy import PROXIES, proxied
from ..stacks import Site
from .models import Ticket
from .project import TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db

INVALIDATE = Event({"action": "invalidate"})


class View(TicketViewSet):
    renderer_classes = [JSONRenderer]

    def get_live_channels(self) -> list[str]:
        return ["tickets"]


@pytest.fixture
def url(routes: Routes) -> str:
    Ticket.objects.create(pk=1, title="a")
    return routes.add(View)


def etag_of(client: Any, url: str) -> str:
    return str(client.get(url).headers["ETag"])


def wait(client: Any, url: str, prefer: str = "wait=30", **headers: str) -> Any:
    """Poll with the present ETag."""
    return client.longpoll(url, headers={"if-none-match": etag_of(client, url), "prefer": prefer, **headers})


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the application's clock: ``at(seconds)`` from the start of the test."""
    start = int(time.time())

    def move(seconds: int) -> None:
        monkeypatch.setattr(guard, "hold_time", lambda: start + seconds)

    move(0)
    return move


# -- waiting, and what ends it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "channel"), [("", "tickets"), ("1/", f"live:{__name__}.View:1")])
def test_who_waits_gets_the_next_representation(grip_client: GripClient, url: str, path: str, channel: str) -> None:
    poll = wait(grip_client, url + path)
    assert (poll.held, poll.channels) == (True, {channel})
    Ticket.objects.update(title="b")
    publish(channel, INVALIDATE)
    response = poll.receive()
    assert response.status_code == 200
    assert b'"title":"b"' in response.content
    assert response.headers["ETag"] == etag_of(grip_client, url + path)
    assert response.headers["Preference-Applied"] == "wait=30"


def test_at_the_end_of_the_time_it_is_a_304(grip_client: GripClient, url: str) -> None:
    poll = wait(grip_client, url)
    grip_client.advance(29)
    assert poll.held
    grip_client.advance(1)
    assert (poll.status_code, poll.response.content) == (304, b"")
    assert poll.response.headers["ETag"] == etag_of(grip_client, url)
    assert poll.response.headers["Preference-Applied"] == "wait=30"
    assert poll.response.headers["Vary"] == "Accept, Prefer, Cookie"
    assert "no-store" in poll.response.headers["Cache-Control"]


def test_news_that_change_nothing_do_not_end_it(grip_client: GripClient, url: str) -> None:
    poll = wait(grip_client, url)
    publish("tickets", INVALIDATE)
    assert poll.held


def test_news_that_change_nothing_do_not_prolong_the_time(grip_client: GripClient, url: str) -> None:
    poll = wait(grip_client, url)
    for _ in range(2):
        grip_client.advance(12)
        publish("tickets", INVALIDATE)
        assert poll.held
    grip_client.advance(6)
    assert poll.status_code == 304


def test_a_change_between_the_look_and_the_hold_is_not_missed(grip_client: GripClient, routes: Routes) -> None:
    class Late(View):
        def list(self, request: Any) -> Response:
            response: Response = super().list(request)
            if "HTTP_PREFER" in request.META and Ticket.objects.update(title="b", done=True):
                publish("tickets", INVALIDATE)
            return response

    Ticket.objects.create(title="a")
    poll = wait(grip_client, routes.add(Late))
    assert (poll.status_code, poll.response.json()[0]["title"]) == (200, "b")


def test_an_object_that_is_gone_answers_who_waits_for_it(grip_client: GripClient, url: str) -> None:
    poll = wait(grip_client, url + "1/")
    Ticket.objects.all().delete()
    publish(f"live:{__name__}.View:1", Event({"action": "deleted", "pk": 1}))
    assert (poll.status_code, poll.response.json()) == (404, {"detail": "No Ticket matches the given query."})


def test_each_is_answered_with_its_own_authority(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    polls = {}
    for name in ("ann", "bob"):
        user = User.objects.create_user(name)
        Ticket.objects.create(title="old", owner=user)
        client = GripClient()
        client.force_login(user)
        polls[name] = wait(client, "/api/own/")
        assert polls[name].channels >= {f"owner:{user.pk}", f"live-user:{user.pk}"}
    Ticket.objects.filter(owner__username="ann").update(title="new")
    for user in User.objects.all():
        publish(f"owner:{user.pk}", INVALIDATE)
    assert [row["title"] for row in polls["ann"].response.json()] == ["new"]
    assert polls["bob"].held


def test_who_has_logged_out_hears_no_more(grip_client: GripClient, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    user = User.objects.create_user("ann")
    user.user_permissions.add(*_view_permissions())
    grip_client.force_login(user)
    poll = wait(grip_client, "/api/permitted/")
    assert poll.held
    grip_client.session.flush()
    publish("live:tests.rest.project.PermittedTicketViewSet", INVALIDATE)
    assert poll.status_code in (401, 403)


def _view_permissions() -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename="view_ticket")


# -- who is answered at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefer",
    ["", "wait", "wait=", "wait=-1", "wait=abc", "wait=0", "respond-async", "wait=abc, wait=9", 'wait="9'],
)
def test_a_preference_that_says_no_time_is_ignored(grip_client: GripClient, url: str, prefer: str) -> None:
    poll = wait(grip_client, url, prefer)
    assert (poll.held, poll.status_code) == (False, 304)
    assert "Preference-Applied" not in poll.response.headers


@pytest.mark.parametrize("known", ['"x"', "garbage", "", "*"])
def test_without_a_known_version_there_is_nothing_to_wait_for(grip_client: GripClient, url: str, known: str) -> None:
    poll = grip_client.longpoll(url, headers={"if-none-match": known, "prefer": "wait=30"})
    assert (poll.held, poll.status_code) == (False, 304 if known == "*" else 200)
    assert "Preference-Applied" not in poll.response.headers
    assert poll.response.headers["ETag"]


@pytest.mark.parametrize("known", ["W/{}", '"x", {}', '"x", W/{} ,"y"'])
def test_a_version_may_be_weak_or_one_of_many(grip_client: GripClient, url: str, known: str) -> None:
    headers = {"if-none-match": known.format(etag_of(grip_client, url)), "prefer": "wait=30"}
    assert grip_client.longpoll(url, headers=headers).held


def test_direct_clients_get_their_304_at_once(client: Client, url: str) -> None:
    headers = {"if-none-match": etag_of(client, url), "prefer": "wait=30", "grip-last": "grip:guard:x; last-id=5"}
    response = client.get(url, headers=headers)
    assert response.status_code == 304
    assert not [name for name in response.headers if name.startswith("Grip") or name == "Preference-Applied"]


def test_head_never_waits(grip_client: GripClient, url: str) -> None:
    poll = grip_client.longpoll(
        url, method="HEAD", headers={"if-none-match": etag_of(grip_client, url), "prefer": "wait=30"}
    )
    assert (poll.held, poll.status_code) == (False, 304)


def test_nor_does_an_action_that_is_not_live(grip_client: GripClient, routes: Routes) -> None:
    class NotLive(View):
        live_actions = ["retrieve"]

    headers = {"if-none-match": "*", "prefer": "wait=30"}
    assert grip_client.longpoll(routes.add(NotLive), headers=headers).status_code == 200


def test_nor_does_an_error(grip_client: GripClient, url: str) -> None:
    poll = grip_client.longpoll(url + "9/", headers={"if-none-match": "*", "prefer": "wait=30"})
    assert (poll.held, poll.status_code) == (False, 404)


def test_a_hold_of_ones_own_stays(grip_client: GripClient, routes: Routes) -> None:
    class Own(View):
        def list(self, request: Any) -> Response:
            set_hold_longpoll(request, "own", 10)
            return Response([])

    poll = wait(grip_client, routes.add(Own))
    assert (poll.held, poll.channels) == (True, {"own"})


def test_a_body_that_is_too_big_for_a_hold_never_travels_with_one(grip_client: GripClient, url: str) -> None:
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(1_000))
    assert len(grip_client.get(url).content) > 100_000
    poll = wait(grip_client, url)
    assert poll.held
    Ticket.objects.filter(pk=1).update(title="b")
    publish("tickets", INVALIDATE)
    assert len(poll.response.content) > 100_000


# -- how long ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hold(client: Client, url: str, settings: Any) -> Any:
    """Poll as the proxy does; returns the response with the instructions for it."""
    settings.GRIP_PROXIES = PROXIES
    etag = etag_of(client, url)

    def ask(prefer: str = "wait=30", **headers: str) -> HttpResponse:
        response: Any = client.get(url, headers=proxied(if_none_match=etag, prefer=prefer, **headers))
        return response

    return ask


def replay(hold: Any, held: HttpResponse, prefer: str = "wait=30") -> HttpResponse:
    """The request as the proxy makes it again, for a hint or for the second look."""
    name, _, since = held.headers["Grip-Channel"].split(", ")[-1].partition("; prev-id=")
    response: HttpResponse = hold(prefer, grip_last=f"{name}; last-id={since}")
    return response


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("Wait=10", 10),
        ('respond-async, WAIT="10"', 10),
        ("wait=60", 60),
        ("wait=61", 60),
        ("wait=99999", 60),
        # Pushpin makes less into 5, so nothing else is promised.
        ("wait=1", 5),
        ("wait=5", 5),
        pytest.param("wait=" + "9" * 5_000, 60, id="more digits than int() reads"),
    ],
)
def test_the_proxy_and_the_client_are_told_how_long(hold: Any, prefer: str, seconds: int) -> None:
    response = hold(prefer)
    assert (response.status_code, response.headers["Grip-Status"]) == (200, "304")
    assert (response.headers["Grip-Hold"], response.headers["Grip-Timeout"]) == ("response", str(seconds))
    assert response.headers["Preference-Applied"] == f"wait={seconds}"
    assert response.content == b""


@pytest.mark.parametrize(("live_max_wait", "seconds"), [(5, "5"), (20, "20"), (600, "300")])
def test_the_viewset_says_how_long_at_the_most(
    client: Client, routes: Routes, settings: Any, live_max_wait: int, seconds: str
) -> None:
    class Patient(View):
        pass

    Patient.live_max_wait = live_max_wait
    settings.GRIP_PROXIES = PROXIES
    url = routes.add(Patient)
    response = client.get(url, headers=proxied(if_none_match=etag_of(client, url), prefer="wait=300"))
    assert response.headers.get("Grip-Timeout") == seconds


def test_news_without_a_change_do_not_prolong_the_wait(hold: Any, at: Any) -> None:
    held = hold()
    assert held.headers["Grip-Channel"].startswith("tickets, grip:guard:")
    for seconds, left in [(1, "29"), (10, "20"), (24, "6"), (27, "5"), (29, "5")]:
        at(seconds)
        held = replay(hold, held)
        assert held.headers["Grip-Timeout"] == left
    at(30)
    over = replay(hold, held)
    assert (over.status_code, over.headers["Preference-Applied"]) == (304, "wait=30")
    assert not [name for name in over.headers if name.startswith("Grip")]


@pytest.mark.parametrize("stack", ["wsgi", "asgi, sync views"])
@pytest.mark.django_db(transaction=True)
def test_there_may_be_several_headers(settings: Any, stack: str) -> None:
    site = Site(stack, settings)
    site.route("tickets/", View.as_view({"get": "list"}))
    etag = site.get("/tickets/").headers["ETag"]
    headers = [*proxied().items(), ("Prefer", "respond-async"), ("Prefer", 'return=minimal, WAIT="12"')]
    held = site.get("/tickets/", headers=[*headers, ("If-None-Match", '"x"'), ("If-None-Match", etag)])
    assert (held.headers["Grip-Timeout"], held.headers["Preference-Applied"]) == ("12", "wait=12")


# -- around it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_a_hold_survives_conditional_get(hold: Any, settings: Any, first: bool) -> None:
    conditional = "django.middleware.http.ConditionalGetMiddleware"
    settings.MIDDLEWARE = [conditional, *settings.MIDDLEWARE] if first else [*settings.MIDDLEWARE, conditional]
    response = hold()
    assert (response.status_code, response.headers["Grip-Hold"], response.headers["Grip-Status"]) == (
        200,
        "response",
        "304",
    )


def test_a_compressed_answer_can_be_waited_upon(grip_client: GripClient, url: str, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.gzip.GZipMiddleware"]
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(10))
    etag = grip_client.get(url, headers={"accept-encoding": "gzip"}).headers["ETag"]
    assert etag.startswith("W/")
    headers = {"if-none-match": etag, "prefer": "wait=30", "accept-encoding": "gzip"}
    assert grip_client.longpoll(url, headers=headers).held


class OncePerMinute(SimpleRateThrottle):
    scope = "tests"
    rate = "2/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return "all"


def test_what_the_proxy_asks_again_is_not_throttled(grip_client: GripClient, routes: Routes) -> None:
    class Throttled(View):
        throttle_classes = [OncePerMinute]

    cache.clear()
    url = routes.add(Throttled)
    poll = wait(grip_client, url)
    for _ in range(5):
        publish("tickets", INVALIDATE)
    assert poll.held
    Ticket.objects.create(title="b")
    publish("tickets", INVALIDATE)
    # The embedded proxy takes its time when it is told too often.
    grip_client.advance(2)
    assert poll.status_code == 200
    # The client itself has asked twice.
    assert grip_client.get(url).status_code == 429
    cache.clear()


@pytest.mark.parametrize(("method", "is_one"), [("get", True), ("post", False), ("delete", False), ("head", False)])
def test_only_what_can_be_held_is_asked_again(rf: RequestFactory, method: str, is_one: bool) -> None:
    request: Any = getattr(rf, method)("/")
    request.grip = GripData(request)
    request.grip.last = {"grip:guard:x": "1"}
    assert is_replay(Request(request)) is is_one


def test_a_user_is_found_by_close_subscribers(grip_client: GripClient, url: str) -> None:
    user = User.objects.create_user("ann")
    grip_client.force_login(user)
    channels = wait(grip_client, url).channels
    assert channels > {"tickets", f"live-user:{user.pk}"}
    assert len(channels) == 3


@pytest.mark.parametrize("name", ["a,b", "a;b", 'a"b', " a", "a\n", ""])
def test_a_url_that_names_no_channel_is_a_400(grip_client: GripClient, routes: Routes, name: str) -> None:
    class Named(View):
        def get_live_channels(self) -> list[str]:
            return [name]

    url = routes.add(Named, under="of/<int:pk>/").replace("<int:pk>", "5")
    poll = wait(grip_client, url)
    assert poll.status_code == 400
    assert poll.response.json()["detail"].startswith("This URL names no channel: ")


def test_a_channel_that_cannot_be_named_is_the_developers_mistake(routes: Routes) -> None:
    class Named(View):
        def get_live_channels(self) -> list[str]:
            return ["a,b"]

    client = GripClient(raise_request_exception=False)
    assert wait(client, routes.add(Named)).status_code == 500


@pytest.mark.django_db(transaction=True)
async def test_on_the_async_stack(routes: Routes) -> None:
    client = AsyncGripClient()
    ticket = await Ticket.objects.acreate(title="a")
    url = routes.add(View)
    etag = (await client.get(url)).headers["ETag"]
    async with client.longpoll(url, headers={"if-none-match": etag, "prefer": "wait=30"}) as poll:
        assert poll.held
        ticket.title = "b"
        await ticket.asave()
        publish("tickets", INVALIDATE)
        response = await poll.receive()
    assert (response.status_code, response.headers["Preference-Applied"]) == (200, "wait=30")
