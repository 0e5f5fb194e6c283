"""What the URLconf routes, in all the ways in which one may write it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from django_grip.endpoints import Endpoint, find_endpoints, find_view
from django_grip.views import StreamView, WebSocketView


class Room(WebSocketView):
    channels = ["room:{room}"]


class Plain(View):
    pass


def function_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def route(*patterns: Any) -> list[Endpoint]:
    urlconf: Any = ModuleType("urlconf")
    urlconf.urlpatterns = list(patterns)
    return find_endpoints(urlconf)


def addresses(*patterns: Any) -> list[str]:
    return [endpoint.address for endpoint in route(*patterns)]


room = Room.as_view()


@pytest.mark.parametrize(
    ("pattern", "address", "parameters"),
    [
        (path("", room), "/", {}),
        (path("rooms/<room>/", room), "/rooms/{room}/", {"room": "[^/]+"}),
        (path("rooms/<int:room>", room), "/rooms/{room}", {"room": "[0-9]+"}),
        (path("files/<path:name>", room), "/files/{name}", {"name": ".+"}),
        (path("set/{a}/%(b)s/", room), "/set/%7Ba%7D/%(b)s/", {}),
        (re_path(r"^rooms/(?P<room>\w+)/$", room), "/rooms/{room}/", {"room": r"\w+"}),
        (re_path(r"^rooms/(?P<room>[a-z]{2,3})/\Z", room), "/rooms/{room}/", {"room": "[a-z]{2,3}"}),
        (re_path(r"^rooms/(?P<room>(a|b)+)/$", room), "/rooms/{room}/", {"room": None}),
        (re_path(r"^rooms/(\d+)/$", room), "/rooms/{_0}/", {"_0": None}),
        (re_path(r"^rooms(?:/(?P<room>\d+))?/$", room), "/rooms/", {}),
        (re_path(r"^100%/$", room), "/100%/", {}),
        (re_path(r"^(?:a|b)/(?P<room>\d+)$", room), "/(?:a|b)/{room}", {"room": r"\d+"}),
    ],
)
def test_an_address_is_what_uri_templates_write(pattern: Any, address: str, parameters: dict[str, str | None]) -> None:
    (endpoint,) = route(pattern)
    assert (endpoint.address, dict(endpoint.parameters)) == (address, parameters)


def test_what_is_included_has_the_address_parameters_and_namespace_of_what_includes_it() -> None:
    inner = [path("rooms/<room>/", room, name="room")]
    (endpoint,) = route(
        re_path(r"^teams/(?P<team>\d+)/", include(([path("v1/", include((inner, "chat")))], "api"), namespace="teams"))
    )
    assert endpoint.address == "/teams/{team}/v1/rooms/{room}/"
    assert dict(endpoint.parameters) == {"team": r"\d+", "room": "[^/]+"}
    assert endpoint.name == "teams:chat:room"


def test_a_prefix_of_the_language_is_that_of_the_active_one() -> None:
    # A prefix of languages is allowed in the root URLconf only, which is what this one is.
    with override_settings(LANGUAGE_CODE="de", USE_I18N=True):
        assert addresses(*i18n_patterns(path("rooms/", room))) == ["/de/rooms/"]
        assert addresses(*i18n_patterns(path("rooms/", room), prefix_default_language=False)) == ["/rooms/"]


def test_of_two_routes_with_one_address_the_first_is_the_one_that_answers() -> None:
    (endpoint,) = route(path("a/", room), path("a/", Plain.as_view()))
    assert endpoint.view_class is Room


def test_a_view_that_is_routed_twice_is_found_twice() -> None:
    assert addresses(path("a/", room), path("b/", room), path("a/<room>/", room)) == ["/a/", "/b/", "/a/{room}/"]
    assert not any(endpoint.is_suffixed for endpoint in route(path("a/", room), path("a/<room>/", room)))


def with_wraps(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    # As those do that keep the function only.
    vars(inner).pop("view_class", None)
    return inner


@pytest.mark.parametrize(
    "callback",
    [
        room,
        csrf_exempt(room),
        with_wraps(room),
        with_wraps(csrf_exempt(with_wraps(room))),
        partial(room),
        partial(with_wraps(room), x=1),
    ],
    ids=["bare", "csrf_exempt", "wraps", "nested", "partial", "partial of wraps"],
)
def test_decorators_are_taken_off(callback: Callable[..., Any]) -> None:
    (endpoint,) = route(path("", callback))
    assert endpoint.view_class is Room
    assert endpoint.dotted_path == f"{__name__}.Room"


def test_a_decorator_that_does_not_say_what_it_wraps_hides_it() -> None:
    def hidden(request: HttpRequest) -> Any:
        return room(request)

    assert find_view(hidden) is hidden
    (endpoint,) = route(path("", hidden))
    assert (endpoint.view_class, endpoint.name) == (None, None)
    assert re.search(r"test_endpoints\.test_a_decorator.*\.hidden$", endpoint.dotted_path)


def test_function_views_have_no_class() -> None:
    (endpoint,) = route(path("", function_view, name="home"))
    assert (endpoint.view, endpoint.view_class, endpoint.name) == (function_view, None, "home")
    assert endpoint.dotted_path == f"{__name__}.function_view"


def test_what_as_view_was_given_is_told() -> None:
    (endpoint,) = route(path("", StreamView.as_view(keep_alive=7)))
    assert dict(endpoint.initkwargs) == {"keep_alive": 7}


@pytest.mark.needs("rest")
def test_each_route_of_a_router_is_found_once_and_its_twin_for_format_suffixes_is_told() -> None:
    endpoints = find_endpoints("tests.rest.project")
    tickets = {e.address: e for e in endpoints if e.address.startswith("/api/tickets")}
    assert {address: e.is_suffixed for address, e in tickets.items()} == {
        "/api/tickets/": False,
        "/api/tickets.{format}": True,
        "/api/tickets/{pk}/": False,
        "/api/tickets/{pk}.{format}": True,
    }
    assert [e.is_suffixed for e in endpoints if e.address in ("/api/", "/api/{format}")] == [False, True]
    assert tickets["/api/tickets/"].initkwargs["basename"] == "ticket"
    nested = next(e for e in endpoints if e.name == "nested-ticket-detail")
    assert nested.address == "/api/of/{project_pk}/tickets/{pk}/"
    assert dict(nested.parameters) == {"project_pk": "[0-9]+", "pk": "[^/.]+"}


@pytest.mark.needs("rest")
def test_routes_of_the_other_kind_of_router_have_their_suffixes_told_too() -> None:
    from rest_framework.routers import DefaultRouter

    from .rest.project import TicketViewSet

    router = DefaultRouter(use_regex_path=False)
    router.register("tickets", TicketViewSet, basename="ticket")
    found = {e.address: e.is_suffixed for e in route(path("api/", include(router.urls)))}
    assert found == {
        "/api/tickets/": False,
        "/api/tickets{format}": True,
        "/api/tickets/{pk}/": False,
        "/api/tickets/{pk}{format}": True,
        "/api/": False,
        "/api/{format}": True,
    }


class Instance:
    """A view that is no function, and not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


@pytest.mark.parametrize("views", [lambda: room, Instance, Room.as_view])
def test_twice_as_many_routes_are_found_in_twice_as_many_steps(views: Callable[[], Any]) -> None:
    steps = [count_calls(partial(route, *(path(f"{n}/<x>", views()) for n in range(count)))) for count in (200, 400)]
    assert steps[1] < 2.2 * steps[0]


def count_calls(run: Callable[[], Any]) -> int:
    """How many functions were called, those written in C included."""
    events: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event.endswith("call"):
            events.append(event)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return len(events)
