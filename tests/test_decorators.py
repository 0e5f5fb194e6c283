"""`websocket_only`: sync and async views, functions and classes, alone and among Django's own decorators."""

from __future__ import annotations

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from django_grip import websocket_only

from .fake_proxy import events_of, sent, text

pytest_plugins = ["tests.fixtures"]


@websocket_only
def returns_nothing(request, name="nobody"):
    """Says hello."""
    request.wscontext.accept()
    request.wscontext.send(f"hello {name}")


@websocket_only
async def returns_nothing_async(request, name="nobody"):
    """Says hello."""
    request.wscontext.accept()
    request.wscontext.send(f"hello {name}")


@websocket_only(allowed_origins=["https://partner.example"])
def returns_something(request):
    request.wscontext.accept()
    return HttpResponse(headers={"X-Seat": "5"})


@method_decorator(websocket_only, name="dispatch")
class ClassBased(View):
    def post(self, request):
        request.wscontext.accept()


@method_decorator(websocket_only(allowed_origins=["https://partner.example"]), name="dispatch")
class AsyncClassBased(View):
    async def post(self, request):
        request.wscontext.accept()


def hello(site, view, *, headers=None, route="ws/<str:name>/"):
    site.route(route, view)
    return site.connect("/ws/alice/").open(**(headers or {}))


@pytest.mark.parametrize("view", [returns_nothing, returns_nothing_async])
def test_a_view_need_return_nothing(site, view):
    response = hello(site, view)
    assert (response.status_code, sent(events_of(response))) == (200, [b"hello alice"])


def test_what_a_view_returns_counts(site):
    site.route("ws/", returns_something)
    response = site.connect("/ws/").open()
    assert (response.status_code, response["X-Seat"]) == (200, "5")


@pytest.mark.parametrize("view", [ClassBased, AsyncClassBased])
def test_class_based_views_of_djangos_may_have_it(site, view):
    site.route("ws/", view.as_view())
    assert events_of(site.connect("/ws/").open()) == [("OPEN", None)]
    assert site.get("/ws/").status_code == 400


def test_a_whole_view_may_have_it(site):
    class Plain(View):
        async def post(self, request):
            request.wscontext.accept()

    site.route("ws/", websocket_only(Plain.as_view()))
    assert events_of(site.connect("/ws/").open()) == [("OPEN", None)]


def test_it_keeps_name_text_and_kind():
    assert (returns_nothing.__name__, returns_nothing.__doc__) == ("returns_nothing", "Says hello.")
    assert not iscoroutinefunction(returns_nothing)
    assert iscoroutinefunction(returns_nothing_async)
    assert returns_nothing.websocket_only is True
    assert returns_nothing.allowed_origins == ()
    assert returns_something.allowed_origins == ("https://partner.example",)


OUTER = [csrf_exempt, require_POST, never_cache, login_required]


@pytest.mark.parametrize("decorate", OUTER, ids=lambda decorate: decorate.__name__)
@pytest.mark.parametrize("view", [returns_nothing, returns_nothing_async])
def test_decorators_around_it_hand_on_that_it_is_for_websockets(site, decorate, view):
    site.route("ws/", decorate(view) if iscoroutinefunction(view) or site.stack != "asgi" else view)
    response = site.get("/ws/")
    assert (response.status_code, response.content) == (400, b"Request must contain WebSocket events.\n")


@pytest.mark.parametrize("decorate", [csrf_exempt, require_POST, never_cache], ids=lambda decorate: decorate.__name__)
def test_decorators_inside_of_it_do_their_work(site, decorate):
    async def aview(request):
        request.wscontext.accept()
        return HttpResponse()

    def view(request):
        request.wscontext.accept()
        return HttpResponse()

    site.route("ws/", websocket_only(decorate(aview if site.stack == "asgi" else view)))
    assert events_of(site.connect("/ws/").open(text("a"))) == [("OPEN", None)]


def test_a_mistake_in_its_arguments_is_told_at_once():
    with pytest.raises(TypeError, match=r"^Write @websocket_only, or @websocket_only\(allowed_origins=\[\.\.\.\]\)\.$"):
        websocket_only("https://partner.example")
    with pytest.raises(ImproperlyConfigured, match=r"^allowed_origins must be a list of origins, not 'https://a\.b'\."):
        websocket_only(allowed_origins="https://a.b")
    with pytest.raises(ImproperlyConfigured, match=r"^allowed_origins has 'a\.b', which is not an origin"):
        websocket_only(allowed_origins=["a.b"])
