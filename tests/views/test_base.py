"""What every realtime view refuses when the URLconf is loaded, and the methods it answers."""

from __future__ import annotations

import functools

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView
from django_grip.views.base import GripView

from ..fake_proxy import proxied

VIEWS = [WebSocketView, StreamView, EventStreamView, LongPollView]
every_view = pytest.mark.parametrize("base", VIEWS)


def subclass(base, **namespace):
    return type("View", (base,), {"__module__": __name__, **namespace})


def nothing(self, *arguments):
    pass


async def anothing(self, *arguments):
    pass


async def chunks(self):
    yield "a"


# -- as_view -----------------------------------------------------------------------------------------------------------


@every_view
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nonsense", "View() received an invalid keyword 'nonsense'. as_view only accepts arguments that are already"),
        ("get", "The method name get is not accepted as a keyword argument to View()."),
        ("channels", "View.as_view() takes no 'channels': set it in a subclass, for broadcast()."),
        ("get_channels", "View.as_view() takes no 'get_channels': define it as a method in a subclass."),
        ("publish", "View.as_view() takes no 'publish': define it as a method in a subclass."),
        ("broadcast", "View.as_view() takes no 'broadcast': define it as a method in a subclass."),
        ("dispatch", "View.as_view() takes no 'dispatch': define it as a method in a subclass."),
    ],
)
def test_as_view_refuses_what_it_does_not_know(base, name, text):
    with pytest.raises(TypeError) as caught:
        subclass(base).as_view(**{name: nothing})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("base", "name", "meant"),
    [
        (WebSocketView, "on_mesage", "on_message"),
        (WebSocketView, "on_closed", "on_close"),
        (WebSocketView, "on_Refresh", "on_refresh"),
        (StreamView, "on_opne", "on_open"),
        (EventStreamView, "on_messages", "on_message"),
    ],
)
def test_a_misspelt_hook_is_refused(base, name, meant):
    with pytest.raises(ImproperlyConfigured) as caught:
        subclass(base, **{name: nothing}).as_view()
    assert str(caught.value) == f"View.{name} is no hook: did you mean {meant}?"


@pytest.mark.parametrize("name", ["on_save", "on_connect", "on_error", "message_on"])
def test_a_method_of_another_name_is_the_views_own_affair(name):
    subclass(WebSocketView, **{name: nothing}).as_view()


@pytest.mark.parametrize(
    ("base", "name"),
    [
        *[(WebSocketView, name) for name in ("on_open", "on_message", "on_close", "on_refresh", "on_error", "send")],
        *[(StreamView, name) for name in ("on_open", "on_message", "on_close")],
        *[(EventStreamView, name) for name in ("get_events_since", "last_event_id")],
        *[(LongPollView, name) for name in ("get_etag", "get_payload", "changed")],
    ],
)
def test_hooks_are_methods_and_no_arguments(base, name):
    with pytest.raises(TypeError, match=f"View.as_view\\(\\) takes no '{name}': define it as a method in a subclass."):
        subclass(base).as_view(**{name: nothing})


@pytest.mark.parametrize("name", ["encoding", "encoder"])
def test_what_broadcast_reads_is_set_in_the_class(name):
    with pytest.raises(TypeError, match=f"takes no '{name}': set it in a subclass, for broadcast"):
        WebSocketView.as_view(**{name: "json"})


@pytest.mark.parametrize(
    ("base", "arguments"),
    [
        (WebSocketView, {"keep_alive": 30, "live_recheck": None, "max_message_size": 10, "subprotocols": ("a",)}),
        (WebSocketView, {"allowed_origins": ["https://www.example.com"], "filters": ["require-sub"]}),
        (StreamView, {"keep_alive": None, "keep_alive_data": b"\n", "content_type": "text/html", "message_field": "m"}),
        (EventStreamView, {"keep_alive": 20}),
        (LongPollView, {"timeout": 30, "content_type": "text/html"}),
    ],
)
def test_what_a_route_may_change_is_an_argument(base, arguments):
    view = base.as_view(**arguments)
    assert view.view_initkwargs == arguments


@pytest.mark.parametrize(
    ("base", "namespace", "text"),
    [
        (
            WebSocketView,
            {"on_open": nothing, "on_message": anothing},
            "View mixes sync and async hooks (def on_open, async def on_message); make them all the same.",
        ),
        (
            WebSocketView,
            {"on_close": anothing, "on_refresh": nothing},
            "View mixes sync and async hooks (async def on_close, def on_refresh); make them all the same.",
        ),
        (
            StreamView,
            {"on_open": chunks, "on_message": nothing},
            "View mixes sync and async hooks (async def on_open, def on_message); make them all the same.",
        ),
        (WebSocketView, {"on_message": None}, "View.on_message must be a method, not None."),
        (WebSocketView, {"on_message": "echo"}, "View.on_message must be a method, not 'echo'."),
        (WebSocketView, {"channels": "room"}, "View.channels must be a list: write ['room']."),
        (StreamView, {"filters": "skip-self"}, "View.filters must be a list: write ['skip-self']."),
        (WebSocketView, {"subprotocols": "chat"}, "View.subprotocols must be a list: write ['chat']."),
        (
            WebSocketView,
            {"allowed_origins": "https://a.example"},
            "View.allowed_origins must be a list: write ['https://a.example'].",
        ),
        (
            WebSocketView,
            {"allowed_origins": ["a.example"]},
            "allowed_origins has 'a.example', which is not an origin",
        ),
        (WebSocketView, {"encoding": "xml"}, 'encoding must be "text", "bytes" or "json", not \'xml\'.'),
        (WebSocketView, {"keep_alive": "20"}, "View.keep_alive must be an int above 0 or None, not '20'."),
        (WebSocketView, {"live_recheck": 0}, "View.live_recheck must be an int above 0 or None, not 0."),
        (WebSocketView, {"live_recheck": True}, "View.live_recheck must be an int above 0 or None, not True."),
        (WebSocketView, {"max_message_size": None}, "View.max_message_size must be an int above 0, not None."),
        (StreamView, {"keep_alive": 1.5}, "View.keep_alive must be an int above 0 or None, not 1.5."),
        (LongPollView, {"timeout": -1}, "View.timeout must be an int above 0, not -1."),
        (LongPollView, {"timeout": None}, "View.timeout must be an int above 0, not None."),
        (LongPollView, {"on_open": nothing}, "View defines on_open, but a long-poll has no hooks"),
        (LongPollView, {"on_close": anothing}, "View defines on_close, but a long-poll has no hooks"),
        (LongPollView, {"on_message": nothing}, "View defines on_message, but a long-poll has no hooks"),
        (WebSocketView, {"channels": ["{room"]}, "View.channels: expected '}' before end of string"),
        (WebSocketView, {"channels": ["{}"]}, "View.channels: channel template '{}': a field must be a plain name"),
        (
            WebSocketView,
            {"channels": ["{a.b}"]},
            "View.channels: channel template '{a.b}': a field must be a plain name",
        ),
        (WebSocketView, {"channels": ["a,b"]}, "View.channels: channel name 'a,b' has ','"),
        (WebSocketView, {"channels": [5]}, "View.channels: "),
        (
            WebSocketView,
            {"channels": ["c:{channel}"]},
            "View.channels: the field {channel} cannot be told from broadcast()'s channel=; give the URL's kwarg",
        ),
        (LongPollView, {"channels": ["c:{options}"]}, "View.channels: the field {options} cannot be told from"),
    ],
)
def test_a_class_that_cannot_work_is_refused_when_the_urlconf_is_loaded(base, namespace, text):
    with pytest.raises(ImproperlyConfigured) as caught:
        subclass(base, **namespace).as_view()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("base", "arguments", "text"),
    [
        (WebSocketView, {"subprotocols": "chat"}, "View.subprotocols must be a list"),
        (WebSocketView, {"allowed_origins": ["example"]}, "allowed_origins has 'example'"),
        (WebSocketView, {"keep_alive": "20"}, "View.keep_alive must be an int above 0 or None"),
        (LongPollView, {"timeout": 0}, "View.timeout must be an int above 0, not 0"),
    ],
)
def test_arguments_are_looked_at_as_attributes_are(base, arguments, text):
    with pytest.raises(ImproperlyConfigured) as caught:
        subclass(base).as_view(**arguments)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("base", "namespace", "is_async"),
    [
        (WebSocketView, {}, False),
        (WebSocketView, {"on_open": nothing, "on_message": nothing}, False),
        (WebSocketView, {"on_open": anothing}, True),
        (WebSocketView, {"on_message": nothing, "on_error": anothing, "get_channels": anothing}, False),
        (WebSocketView, {"on_message": anothing, "on_error": nothing, "get_channels": nothing}, True),
        (StreamView, {"on_open": chunks, "on_message": anothing}, True),
        (StreamView, {"on_open": functools.partialmethod(nothing)}, False),
        (EventStreamView, {"get_events_since": anothing}, False),
        (LongPollView, {"get_payload": nothing}, False),
        (LongPollView, {"get_payload": anothing, "get_etag": nothing}, True),
    ],
)
def test_the_hooks_say_whether_a_view_is_async(base, namespace, is_async):
    view = subclass(base, **namespace)
    assert view.view_is_async is is_async
    view.as_view()
    assert view.view_is_async is is_async


def test_hooks_of_mixins_count():
    class Greets:
        async def on_open(self):
            pass

    view = type("View", (Greets, WebSocketView), {"on_message": nothing, "__module__": __name__})
    with pytest.raises(ImproperlyConfigured, match=r"mixes sync and async hooks \(async def on_open, def on_message\)"):
        view.as_view()


def test_a_subclass_is_found_out_anew():
    sync = subclass(WebSocketView, on_open=nothing)
    sync.as_view()
    assert subclass(sync, on_open=anothing).view_is_async
    assert not sync.view_is_async


def test_the_view_of_a_urlconf_names_its_class():
    view = subclass(StreamView).as_view()
    assert view.view_class.__name__ == "View"


def test_the_ground_of_the_views_is_no_transport(routes, http):
    routes.add("x/", subclass(GripView))
    assert http.get("/x/", headers=proxied()).status_code == 500


def test_a_decorator_on_dispatch_works(routes, http):
    if routes.hooks == "async":
        return  # Django's decorators for sync views know no async ones that look sync
    view = method_decorator(never_cache, name="dispatch")(subclass(StreamView, channels=["a"], on_open=nothing))
    routes.add("x/", view)
    assert "max-age=0" in http.get("/x/", headers=proxied())["Cache-Control"]


# -- one request -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", VIEWS)
def test_without_the_middleware_the_view_says_so(routes, http, settings, base, caplog):
    settings.MIDDLEWARE = []
    routes.add("x/", subclass(base))
    assert http.get("/x/").status_code == 500
    assert 'View needs "django_grip.GripMiddleware" in MIDDLEWARE; put it first.' in caplog.text


@pytest.mark.parametrize(
    ("base", "namespace", "allowed"),
    [
        (StreamView, {}, "GET, HEAD, OPTIONS"),
        (StreamView, {"on_open": nothing}, "GET, HEAD, OPTIONS"),
        (StreamView, {"on_message": nothing}, "GET, HEAD, POST, OPTIONS"),
        (EventStreamView, {"on_message": nothing}, "GET, HEAD, POST, OPTIONS"),
        (LongPollView, {"get_payload": nothing}, "GET, HEAD, OPTIONS"),
        (StreamView, {"on_message": nothing, "http_method_names": ["get", "options"]}, "GET, OPTIONS"),
    ],
)
def test_options_and_405_name_the_methods(routes, http, base, namespace, allowed):
    routes.add("x/", subclass(base, channels=["a"], **namespace))
    options = http.options("/x/")
    assert (options.status_code, options["Allow"], options["Content-Length"]) == (200, allowed, "0")
    for method in ("post", "put", "delete", "patch"):
        if method.upper() not in allowed:
            response = getattr(http, method)("/x/")
            assert (response.status_code, response["Allow"]) == (405, allowed)


@pytest.mark.parametrize("base", [StreamView, LongPollView])
def test_a_route_without_the_kwarg_of_a_channel_is_the_developers_mistake(routes, http, base, caplog):
    routes.add("x/", subclass(base, channels=["room:{room}"], get_payload=lambda self: "", get_etag=lambda self: "a"))
    response = http.get("/x/", headers=proxied(if_none_match='"a"'))
    assert response.status_code == 500
    assert "View.channels has 'room:{room}', but its route has no <room>." in caplog.text


@pytest.mark.parametrize("base", [StreamView, LongPollView])
def test_a_view_that_would_hold_needs_a_channel(routes, http, base, caplog):
    routes.add("x/", subclass(base, get_payload=lambda self: "", get_etag=lambda self: "a"))
    assert http.get("/x/", headers=proxied(if_none_match='"a"')).status_code == 500
    assert "View has no channel to " in caplog.text
    assert 'set channels = ["..."]' in caplog.text
