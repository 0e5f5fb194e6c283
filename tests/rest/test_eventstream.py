"""Event streams of a live viewset: the snapshot, changes, and the links that close the gap between the two."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone, translation
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import DjangoModelPermissions, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.versioning import AcceptHeaderVersioning

from django_grip import Event, HttpStreamFormat, publish
from django_grip.protocol.instruct import parse_instruct_headers
from django_grip.testing import AsyncGripClient, GripClient

from ..fake_proxy import PROXIES, proxied
from .models import Ticket
from .project import TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db

STREAM = {"accept": "text/event-stream"}
RESET = {"action": "reset"}
HINT = HttpStreamFormat(action="hint")


class View(TicketViewSet):
    renderer_classes = [JSONRenderer]

    def get_live_channels(self) -> list[str]:
        return ["tickets"]


@pytest.fixture
def url(routes: Routes) -> str:
    Ticket.objects.create(pk=1, title="a")
    return routes.add(View)


def events_of(stream: Any) -> list[Any]:
    """All events that have come, without what keeps the stream alive."""
    blocks = stream.read().split("\n\n")
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block.strip(":\n")]


def titles(event: Any) -> list[str]:
    assert event["action"] == "snapshot"
    return [row["title"] for row in event["data"]]


# -- the beginning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "channel", "data"),
    [
        ("", "tickets", [{"id": 1, "title": "a", "done": False, "project": None}]),
        ("1/", f"live:{__name__}.View:1", {"id": 1, "title": "a", "done": False, "project": None}),
    ],
)
def test_first_comes_a_snapshot_and_then_what_changes(
    grip_client: GripClient, url: str, path: str, channel: str, data: Any
) -> None:
    with grip_client.stream(url + path, headers=STREAM) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        assert "no-store" in stream.response.headers["Cache-Control"]
        assert "ETag" not in stream.response.headers
        assert stream.channels == {channel}
        assert events_of(stream) == [{"action": "snapshot", "data": data}]
        publish(channel, Event({"action": "updated", "pk": 1}))
        assert events_of(stream) == [{"action": "updated", "pk": 1}]


def test_the_snapshot_is_what_a_get_has(grip_client: GripClient, routes: Routes) -> None:
    class Pages(PageNumberPagination):
        page_size = 1

    class Paged(View):
        pagination_class = Pages

    for title in ("two\nlines", "\u2028\r\x00ü"):
        Ticket.objects.create(title=title)
    url = routes.add(Paged)
    for query in ("", "?page=2"):
        stream = grip_client.stream(url + query, headers=STREAM)
        assert stream.receive_event().json() == {"action": "snapshot", "data": grip_client.get(url + query).json()}


def test_nothing_is_a_snapshot_too(grip_client: GripClient, routes: Routes) -> None:
    class Nothing(View):
        def list(self, request: Any) -> Response:
            return Response()

    stream = grip_client.stream(routes.add(Nothing), headers=STREAM)
    assert stream.receive_event().json() == {"action": "snapshot", "data": None}
    assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize("path", ["?format=sse", ".sse"])
def test_a_format_suffix_opens_it_too(grip_client: GripClient, url: str, path: str) -> None:
    stream = grip_client.stream(url.rstrip("/") + "/" + path if "?" in path else url.rstrip("/") + path)
    assert titles(stream.receive_event().json()) == ["a"]
    Ticket.objects.create(title="b")
    grip_client.advance(1)
    assert [event["action"] for event in events_of(stream)] == ["reset", "snapshot"]


@pytest.mark.parametrize("last_id", ["5", "garbage", "", "\xff", "x" * 5_000])
def test_a_stale_last_event_id_does_no_harm(grip_client: GripClient, url: str, last_id: str) -> None:
    stream = grip_client.stream(url, headers={**STREAM, "last-event-id": last_id})
    assert titles(stream.receive_event().json()) == ["a"]
    assert stream.held


def test_silence_is_broken_by_comments(grip_client: GripClient, routes: Routes) -> None:
    class Chatty(View):
        live_keep_alive = 7

    stream = grip_client.stream(routes.add(Chatty), headers=STREAM)
    stream.read()
    grip_client.advance(7)
    assert stream.read() == ":\n\n"


def test_silence_may_be_kept(grip_client: GripClient, routes: Routes) -> None:
    class Silent(View):
        live_keep_alive = None

    stream = grip_client.stream(routes.add(Silent), headers=STREAM)
    stream.read()
    grip_client.advance(600)
    assert (stream.read(), stream.held) == ("", True)


def test_direct_clients_are_told_that_it_needs_a_proxy(client: Client, url: str) -> None:
    response = client.get(url, headers=STREAM)
    assert response.status_code == 501
    text = "This address works only behind a GRIP proxy, such as Pushpin, and this request came directly.\n"
    assert response.content.decode() == text
    assert client.head(url, headers=STREAM).status_code == 501


def test_head_has_the_headers_and_no_hold(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, method="HEAD", headers=STREAM)
    assert (stream.held, stream.status_code) == (False, 200)
    assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"


def test_without_the_middleware_it_says_what_is_missing(routes: Routes) -> None:
    view = View.as_view({"get": "list"})
    missing = r'^View streams events by "django_grip\.GripMiddleware": put it first in MIDDLEWARE\.$'
    with pytest.raises(ImproperlyConfigured, match=missing):
        view(APIRequestFactory().get("/", headers=STREAM))


class Failing(View):
    answer: Any = None

    def list(self, request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get_live_channels(self) -> list[str]:
        raise ValidationError("no channel for you")


@pytest.mark.parametrize(
    ("answer", "status", "data"),
    [
        (ValidationError({"title": ["Bad."]}), 400, {"title": ["Bad."]}),
        (Response({"a": 1}, status=202), 202, {"a": 1}),
        (Response({"a": 1}, status=503), 503, {"a": 1}),
        # Raised when the view has answered already.
        (Response([]), 400, ["no channel for you"]),
    ],
)
def test_what_is_no_200_is_json_and_not_held(
    grip_client: GripClient, routes: Routes, answer: Any, status: int, data: Any
) -> None:
    class Answering(Failing):
        pass

    Answering.answer = answer
    stream = grip_client.stream(routes.add(Answering), headers=STREAM)
    assert (stream.held, stream.status_code, stream.response.json()) == (False, status, data)
    assert stream.response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("path", "text"), [("9/", "No Ticket matches the given query."), ("x/", "Not found.")])
def test_an_object_that_is_not_there_is_a_404(grip_client: GripClient, url: str, path: str, text: str) -> None:
    stream = grip_client.stream(url + path, headers=STREAM)
    assert (stream.held, stream.status_code, stream.response.json()) == (False, 404, {"detail": text})


def test_who_may_not_see_it_gets_the_refusal(grip_client: GripClient, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    stream = grip_client.stream("/api/permitted/", headers=STREAM)
    assert (stream.held, stream.status_code) == (False, 403)
    assert stream.response.json() == {"detail": "Authentication credentials were not provided."}


def test_what_the_view_says_of_its_plain_answer_is_not_said_of_the_stream(
    grip_client: GripClient, routes: Routes, settings: Any
) -> None:
    class Own(View):
        def list(self, request: Any) -> Response:
            headers = {"ETag": '"own"', "Cache-Control": "max-age=60", "X-Own": "yes"}
            return Response([], headers=headers, content_type="application/vnd.own+json")

    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.http.ConditionalGetMiddleware"]
    stream = grip_client.stream(routes.add(Own), headers={**STREAM, "if-none-match": '"own", *'})
    assert stream.held
    assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["Cache-Control"] == "no-store, private"
    assert (stream.response.headers["X-Own"], "ETag" in stream.response.headers) == ("yes", False)


def test_it_is_not_compressed(grip_client: GripClient, url: str, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.gzip.GZipMiddleware"]
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(10))
    stream = grip_client.stream(url, headers={**STREAM, "accept-encoding": "gzip"})
    assert len(titles(stream.receive_event().json())) == 11


def test_a_user_is_found_by_close_subscribers(grip_client: GripClient, url: str) -> None:
    user = User.objects.create_user("ann")
    grip_client.force_login(user)
    stream = grip_client.stream(url, headers=STREAM)
    assert stream.channels > {"tickets", f"live-user:{user.pk}"}
    publish(f"live-user:{user.pk}", HttpStreamFormat(action="close"))
    assert stream.ended


def test_more_channels_than_the_proxy_takes_are_the_developers_mistake(grip_client: GripClient, routes: Routes) -> None:
    class Many(View):
        count = 9

        def get_live_channels(self) -> list[str]:
            return [f"group:{number}" for number in range(self.count)]

    grip_client.force_login(User.objects.create_user("ann"))
    url = routes.add(Many)
    assert len(grip_client.stream(url, headers=STREAM).channels) == 19
    Many.count = 10
    assert grip_client.get(url).status_code == 200
    text = (
        r"^Many\.get_live_channels names too many: with those of its user and one of its own, a connection would be on "
        r"22 channels, and the proxy takes 20\.$"
    )
    with pytest.raises(ImproperlyConfigured, match=text):
        grip_client.stream(url, headers=STREAM)


# -- the second look ---------------------------------------------------------------------------------------------------


def test_what_was_published_before_the_hold_is_not_missed(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, headers=STREAM)
    assert titles(stream.receive_event().json()) == ["a"]
    # Told to nobody, as if it had been before the proxy was subscribed.
    Ticket.objects.create(title="b")
    assert events_of(stream) == []
    grip_client.advance(1)
    reset, snapshot = events_of(stream)
    assert (reset, titles(snapshot)) == (RESET, ["a", "b"])
    assert (stream.held, stream.channels) == (True, {"tickets"})


def test_where_nothing_was_missed_nothing_is_said(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, headers=STREAM)
    stream.read()
    grip_client.advance(1)
    assert (stream.read(), stream.held, stream.channels) == ("", True, {"tickets"})


def test_there_is_one_second_look(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, headers=STREAM)
    grip_client.advance(1)
    stream.read()
    Ticket.objects.create(title="b")
    grip_client.advance(300)
    assert events_of(stream) == []


# -- asking again ------------------------------------------------------------------------------------------------------


def test_in_time_only_the_authority_is_asked(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, headers=STREAM)
    grip_client.advance(1)
    stream.read()
    # Who is subscribed has heard of it.
    Ticket.objects.create(title="b")
    publish("tickets", Event({"action": "created", "pk": 2}))
    grip_client.advance(120)
    assert events_of(stream) == [{"action": "created", "pk": 2}]
    assert stream.held


def test_a_hint_asks_for_the_state_too(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url, headers=STREAM)
    grip_client.advance(1)
    stream.read()
    publish("tickets", HINT)
    assert events_of(stream) == []
    Ticket.objects.create(title="b")
    publish("tickets", HINT)
    reset, snapshot = events_of(stream)
    assert (reset, titles(snapshot)) == (RESET, ["a", "b"])
    publish("tickets", HINT)
    assert events_of(stream) == []


def test_an_object_that_is_gone_ends_the_stream(grip_client: GripClient, url: str) -> None:
    """Of one that was deleted before the proxy had subscribed nobody else has told."""
    stream = grip_client.stream(url + "1/", headers=STREAM)
    stream.read()
    Ticket.objects.all().delete()
    grip_client.advance(1)
    assert (events_of(stream), stream.ended) == ([{"action": "deleted", "pk": 1}], True)


def test_deleted_ends_it_at_once(grip_client: GripClient, url: str) -> None:
    stream = grip_client.stream(url + "1/", headers=STREAM)
    stream.read()
    channel = f"live:{__name__}.View:1"
    publish(channel, Event({"action": "deleted", "pk": 1}))
    publish(channel, HttpStreamFormat(action="close"))
    assert (events_of(stream), stream.ended) == ([{"action": "deleted", "pk": 1}], True)


class Members(View):
    permission_classes = [IsAuthenticated]


def test_who_has_logged_out_is_gone_at_the_next_link(grip_client: GripClient, routes: Routes) -> None:
    grip_client.force_login(User.objects.create_user("ann"))
    stream = grip_client.stream(routes.add(Members), headers=STREAM)
    grip_client.advance(1)
    stream.read()
    grip_client.advance(60)
    assert stream.held
    grip_client.session.flush()
    grip_client.advance(60)
    assert stream.ended


class ViewersOnly(DjangoModelPermissions):
    perms_map = {**DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}


def test_who_may_no_longer_see_it_is_gone_at_the_next_link(grip_client: GripClient, routes: Routes) -> None:
    class Viewed(View):
        permission_classes = [ViewersOnly]

    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename="view_ticket"))
    grip_client.force_login(user)
    stream = grip_client.stream(routes.add(Viewed), headers=STREAM)
    grip_client.advance(1)
    assert stream.held
    user.user_permissions.clear()
    grip_client.advance(60)
    assert stream.ended


def test_never_asked_again_means_after_the_second_look(grip_client: GripClient, routes: Routes) -> None:
    class Trusting(Members):
        live_recheck = None

    user = User.objects.create_user("ann")
    grip_client.force_login(user)
    stream = grip_client.stream(routes.add(Trusting), headers=STREAM)
    grip_client.advance(1)
    user.delete()
    grip_client.advance(3_600)
    assert stream.held


def test_new_channels_bring_what_is_on_them(grip_client: GripClient, routes: Routes) -> None:
    class Grouped(View):
        groups = ["one"]

        def get_live_channels(self) -> list[str]:
            return self.groups

    Ticket.objects.create(title="a")
    stream = grip_client.stream(routes.add(Grouped), headers=STREAM)
    grip_client.advance(1)
    stream.read()
    Grouped.groups = ["one", "two"]
    Ticket.objects.create(title="of two")
    grip_client.advance(60)
    reset, snapshot = events_of(stream)
    assert (reset, titles(snapshot), stream.channels) == (RESET, ["a", "of two"], {"one", "two"})
    # They have a second look of their own.
    Ticket.objects.create(title="late")
    grip_client.advance(1)
    assert events_of(stream)[0] == RESET


class ThreePerMinute(SimpleRateThrottle):
    scope = "tests"
    rate = "3/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return "all"


def test_what_the_proxy_asks_for_by_itself_is_not_throttled(grip_client: GripClient, routes: Routes) -> None:
    class Throttled(View):
        throttle_classes = [ThreePerMinute]

    cache.clear()
    url = routes.add(Throttled)
    stream = grip_client.stream(url, headers=STREAM)
    grip_client.advance(1)
    for _ in range(5):
        publish("tickets", HINT)
    assert stream.held
    statuses = [grip_client.stream(url, headers=STREAM).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    cache.clear()


# -- snapshots too big for a hold --------------------------------------------------------------------------------------


@pytest.fixture
def proxied_get(client: Client, url: str, settings: Any) -> Any:
    """A request as the proxy makes it; returns the response and the instruction in it."""
    settings.GRIP_PROXIES = PROXIES

    def get(path: str = url, **headers: str) -> Any:
        response = client.get(path, headers=proxied(**headers))
        return response, parse_instruct_headers(response.items())

    return get


def test_a_snapshot_that_is_too_big_goes_without_a_hold(proxied_get: Any) -> None:
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(1_000))
    response, instruct = proxied_get(**STREAM)
    assert len(response.content) > 100_000
    assert (instruct.hold, instruct.channels) == ("", [])
    # The proxy fetches it at once; with the hold comes a second look.
    again, instruct = proxied_get(instruct.next_link)
    assert (again.content, instruct.hold, instruct.next_link_timeout) == (b"", "stream", 1)
    looked, instruct = proxied_get(instruct.next_link)
    assert (looked.content, instruct.hold, instruct.next_link_timeout) == (b"", "stream", 60)


INVALIDATE = b'data: {"action":"invalidate"}\n\n'


def test_a_change_behind_a_big_snapshot_is_a_reset_if_the_new_one_is_small(proxied_get: Any) -> None:
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(1_000))
    _, instruct = proxied_get(**STREAM)
    Ticket.objects.filter(pk__gt=1).delete()
    response, instruct = proxied_get(instruct.next_link)
    assert response.content.startswith(b'data: {"action":"reset"}\n\ndata: {"action":"snapshot","data":[{"id":1,')
    assert len(response.content) < 1_000
    assert (instruct.hold, instruct.next_link_timeout) == ("stream", 1)


def test_a_change_behind_a_big_snapshot_is_asked_for_by_the_client_if_the_new_one_is_big_too(proxied_get: Any) -> None:
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(1_000))
    _, instruct = proxied_get(**STREAM)
    for title, timeout in (("b", 1), ("c", 60)):
        Ticket.objects.filter(pk=1).update(title=title)
        response, instruct = proxied_get(instruct.next_link)
        assert response.content == INVALIDATE
        assert (instruct.hold, instruct.next_link_timeout) == ("stream", timeout)
    # Nothing more has changed; so nothing is said of that, however early it is asked.
    response, instruct = proxied_get(instruct.next_link)
    assert (response.content, instruct.hold) == (b"", "stream")


def test_a_big_one_that_is_never_twice_the_same_is_sent_once(grip_client: GripClient, routes: Routes) -> None:
    looks = iter(range(1, 1_000))

    class Volatile(View):
        def list(self, request: Any) -> Response:
            return Response({"look": next(looks), "text": "x" * 100_000})

    stream = grip_client.stream(routes.add(Volatile), headers=STREAM)
    snapshot, *others = events_of(stream)
    assert (snapshot["data"]["look"], others, stream.held) == (1, [{"action": "invalidate"}], True)
    grip_client.advance(1)
    assert events_of(stream) == [{"action": "invalidate"}]
    assert (stream.held, next(looks)) == (True, 4)


def test_with_the_proxy_it_is_one_stream(grip_client: GripClient, url: str) -> None:
    Ticket.objects.bulk_create(Ticket(title="x" * 100) for _ in range(1_000))
    stream = grip_client.stream(url, headers=STREAM)
    assert len(titles(stream.receive_event().json())) == 1_001
    assert (stream.held, stream.channels) == (True, {"tickets"})
    Ticket.objects.filter(pk=1).delete()
    grip_client.advance(1)
    # Too much to be sent again while it is held.
    assert events_of(stream) == [{"action": "invalidate"}]
    publish("tickets", Event({"action": "deleted", "pk": 1}))
    assert events_of(stream) == [{"action": "deleted", "pk": 1}]


def test_a_proxy_without_links_gets_no_links(proxied_get: Any) -> None:
    _, instruct = proxied_get(**STREAM, grip_feature="status, session")
    assert (instruct.hold, instruct.next_link) == ("stream", "")


# -- what a link keeps of its client -----------------------------------------------------------------------------------


def test_a_url_that_is_too_long_for_a_link_is_a_414(proxied_get: Any, url: str) -> None:
    response, instruct = proxied_get(f"{url}?q={'x' * 4_000}", **STREAM)
    assert response.status_code == 414
    assert response.json() == {"detail": "This URL is too long for a stream that stays open."}
    assert not instruct.hold


def test_a_link_names_the_query_of_its_page(grip_client: GripClient, routes: Routes) -> None:
    class Searching(View):
        def get_queryset(self) -> Any:
            return Ticket.objects.filter(title__startswith=self.request.query_params.get("q", ""))

    Ticket.objects.create(title="ünï")
    stream = grip_client.stream(routes.add(Searching), query_params={"q": "ü"}, headers=STREAM)
    assert titles(stream.receive_event().json()) == ["ünï"]
    Ticket.objects.create(title="other")
    grip_client.advance(1)
    assert events_of(stream) == []
    Ticket.objects.create(title="über")
    publish("tickets", HINT)
    assert titles(events_of(stream)[1]) == ["ünï", "über"]


class Telling(View):
    """Shows what the representations of APIs depend on."""

    def list(self, request: Any) -> Response:
        return Response(
            {
                "url": request.build_absolute_uri(),
                "language": translation.get_language(),
                "zone": timezone.get_current_timezone_name(),
                "version": request.version,
                "tickets": Ticket.objects.count(),
            }
        )


def test_the_same_is_told_by_a_link_as_to_its_client(grip_client: GripClient, routes: Routes, settings: Any) -> None:
    class Versioned(Telling):
        versioning_class = AcceptHeaderVersioning

    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware", f"{__name__}.choose_zone"]
    settings.ALLOWED_HOSTS = ["api.example.com", "testserver"]
    headers = {"accept": "text/event-stream; version=2.0", "accept-language": "de", "cookie": "zone=Asia/Kathmandu"}
    stream = grip_client.stream(
        routes.add(Versioned), secure=True, headers={**headers, "host": "api.example.com"}, query_params={"a": "b"}
    )
    told = {
        "url": "https://api.example.com/api/tickets/?a=b",
        "language": "de",
        "zone": "Asia/Kathmandu",
        "version": "2.0",
    }
    assert stream.receive_event().json()["data"] == {**told, "tickets": 0}
    grip_client.advance(1)
    assert events_of(stream) == []
    Ticket.objects.create(title="a")
    publish("tickets", HINT)
    assert events_of(stream) == [RESET, {"action": "snapshot", "data": {**told, "tickets": 1}}]


@pytest.mark.parametrize("is_refused", [False, True])
def test_language_and_zone_of_a_stream_are_not_left_to_the_thread(
    grip_client: GripClient, routes: Routes, is_refused: bool
) -> None:
    class Refusing(Telling):
        refuses = False
        told: list[Any] = []

        def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            self.told.append((translation.get_language(), timezone.get_current_timezone_name()))
            super().initial(request, *args, **kwargs)
            if self.refuses:
                raise ValidationError("no")

    before = translation.get_language(), timezone.get_current_timezone_name()
    with translation.override("de"), timezone.override("Asia/Kathmandu"):
        stream = grip_client.stream(routes.add(Refusing), headers=STREAM)
    stream.read()
    Refusing.refuses = is_refused
    Ticket.objects.create(title="a")
    grip_client.advance(1)
    assert Refusing.told == [("de", "Asia/Kathmandu")] * 2 != [before] * 2
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before
    assert stream.ended is is_refused
    assert [event["data"]["zone"] for event in events_of(stream) if "data" in event] == ["Asia/Kathmandu"][is_refused:]


def choose_zone(get_response: Any) -> Any:
    """As the example in Django's documentation, with a cookie."""

    def middleware(request: Any) -> Any:
        zone = request.COOKIES.get("zone")
        if zone:
            timezone.activate(zone)
        else:
            timezone.deactivate()
        return get_response(request)

    return middleware


@pytest.fixture(autouse=True)
def _usual_language_and_zone() -> Any:
    yield
    translation.deactivate()
    timezone.deactivate()


# -- two users, other engines of Django --------------------------------------------------------------------------------


def test_everybody_sees_what_is_theirs_also_by_links(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    streams = {}
    for name in ("ann", "bob"):
        user = User.objects.create_user(name)
        Ticket.objects.create(title=f"first of {name}", owner=user)
        client = GripClient()
        client.force_login(user)
        streams[name] = client.stream("/api/own/", headers=STREAM)
        assert titles(streams[name].receive_event().json()) == [f"first of {name}"]
        Ticket.objects.create(title=f"second of {name}", owner=user)
    client.advance(1)
    for name, stream in streams.items():
        assert titles(events_of(stream)[1]) == [f"first of {name}", f"second of {name}"]


@pytest.mark.django_db(transaction=True)
async def test_on_the_async_stack(routes: Routes) -> None:
    client = AsyncGripClient()
    await Ticket.objects.acreate(title="a")
    async with client.stream(routes.add(View), headers=STREAM) as stream:
        assert titles((await stream.receive_event()).json()) == ["a"]
        await Ticket.objects.acreate(title="b")
        await client.advance(1)
        assert (await stream.receive_event()).json() == RESET
        assert titles((await stream.receive_event()).json()) == ["a", "b"]
        publish("tickets", Event({"action": "invalidate"}))
        assert (await stream.receive_event()).json() == {"action": "invalidate"}
