"""WebSocketAPIView and ws_action: what is refused when a class is made, or routed; what a class tells of itself."""

from __future__ import annotations

import re
from functools import partial, wraps

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import CharField, ListSerializer, ModelSerializer, Serializer

from django_grip.rest import WebSocketAPIView, ws_action
from django_grip.rest.api_view.actions import INHERITED, WSAction


class Named(Serializer):
    name = CharField()


def make(*bases, **namespace):
    return type("View", bases or (WebSocketAPIView,), namespace)


def act(name="act", **options):
    @ws_action(name, **options)
    def method(self, data): ...

    return method


@ws_action("async")
async def async_act(self, data): ...


@ws_action("bare")
def without_data(self): ...


@ws_action("more")
def with_more(self, data, more): ...


def on_message(self, data): ...


async def async_on_message(self, data): ...


# -- ws_action ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [act, None, "", 5, b"act", ["act"]])
def test_an_actions_name_is_a_str(name):
    text = f'ws_action() takes the name that clients use: write @ws_action("rename"), not {name!r}.'
    with pytest.raises(TypeError, match=re.escape(text)):
        ws_action(name)


@pytest.mark.parametrize("method", [5, None, "act", Named, partial(on_message), staticmethod(on_message), property()])
def test_an_action_is_a_method(method):
    with pytest.raises(TypeError, match=re.escape("@ws_action('act') is for a method of a view, not for ")):
        ws_action("act")(method)


@pytest.mark.parametrize("serializer_class", [5, "Named", Named(), WebSocketAPIView, CharField])
def test_an_actions_serializer_is_one(serializer_class):
    text = "@ws_action('act'): serializer_class must be a serializer class or None, not "
    with pytest.raises(TypeError, match=re.escape(text)):
        ws_action("act", serializer_class=serializer_class)


@pytest.mark.parametrize("serializer_class", [None, Named, ModelSerializer, ListSerializer])
def test_any_serializer_will_do(serializer_class):
    view = make(method=act(serializer_class=serializer_class))
    assert view.get_ws_actions() == {"act": WSAction("act", "method", serializer_class)}


# -- as_view() ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("namespace", "text"),
    [
        ({"a": act(), "b": act()}, "View.b and a are both the action 'act'; rename one of them."),
        ({"a": act("on_open")}, "View.a: an action cannot be called 'on_open', as that is a hook."),
        ({"a": act("on_message")}, "View.a: an action cannot be called 'on_message', as that is a hook."),
        (
            {"subscribe": act("subscribe")},
            "View.subscribe hides the subscribe that WebSocketAPIView has: call the method otherwise, the action may "
            "keep its name.",
        ),
        ({"state": act()}, "View.state hides the state that WebSocketAPIView has: "),
        ({"request": act()}, "View.request hides the request that WebSocketAPIView has: "),
        ({"get_queryset": act()}, "View.get_queryset hides the get_queryset that WebSocketAPIView has: "),
        ({"on_message": act()}, "View.on_message hides the on_message that WebSocketAPIView has: "),
        ({"a": without_data}, "View.a must take the message's data: def without_data(self, data)."),
        ({"a": with_more}, "View.a must take the message's data: def with_more(self, data)."),
        (
            {"on_message": on_message, "a": async_act},
            "View mixes sync and async hooks (def on_message, async def a); make them all the same.",
        ),
        (
            {"on_message": async_on_message, "a": act()},
            "View mixes sync and async hooks (async def on_message, def a); make them all the same.",
        ),
        ({"b": act(), "a": async_act}, "View mixes sync and async hooks (def b, async def a); make them all the same."),
        ({"on_messages": on_message}, "View.on_messages is no hook: did you mean on_message?"),
        ({"encoding": "text"}, "View.encoding must be \"json\", not 'text'."),
        ({"encoding": None}, 'View.encoding must be "json", not None.'),
        ({"serializer_class": 5}, "View.serializer_class must be a serializer class or None, not 5."),
        (
            {"serializer_class": Named(data={})},
            "View.serializer_class must be a serializer class or None, not Named(data={}):",
        ),
        ({"permission_classes": IsAuthenticated}, "View.permission_classes must be a list: write ["),
        ({"channels": "room"}, "View.channels must be a list: write ['room']."),
    ],
)
def test_a_class_that_cannot_work_is_refused_when_it_is_routed(namespace, text):
    with pytest.raises(ImproperlyConfigured, match=re.escape(text)):
        make(**namespace).as_view()


def test_a_serializer_given_to_as_view_is_looked_at():
    make().as_view(serializer_class=Named)
    with pytest.raises(ImproperlyConfigured, match=re.escape("View.serializer_class must be a serializer class")):
        make().as_view(serializer_class="Named")


@pytest.mark.parametrize("name", ["encoding", "encoder", "channels", "on_message", "method"])
def test_what_belongs_into_a_class_is_not_given_to_as_view(name):
    with pytest.raises(TypeError, match=re.escape(f"View.as_view() takes no '{name}'")):
        make(method=act()).as_view(**{name: None})


def test_async_actions_make_the_view_async():
    assert make(a=async_act).view_is_async
    assert not make(a=act()).view_is_async
    assert make(make(a=async_act)).view_is_async


# -- inheritance -------------------------------------------------------------------------------------------------------


def test_actions_are_inherited_and_may_be_replaced():
    base = make(a=act("a", serializer_class=Named), b=act("b"))
    view = make(base, a=act("a"), c=act("c"))
    assert base.get_ws_actions() == {"a": WSAction("a", "a", Named), "b": WSAction("b", "b", INHERITED)}
    assert view.get_ws_actions() == {name: WSAction(name, name, INHERITED) for name in "abc"}
    assert make(view).get_ws_actions() == view.get_ws_actions()


def test_an_action_that_is_overridden_without_the_decorator_is_refused():
    view = make(make(a=act("act")), a=on_message)
    with pytest.raises(
        ImproperlyConfigured,
        match=re.escape(
            "View.a hides the action 'act': decorate it with @ws_action too, or set it to None to offer the action "
            "no more."
        ),
    ):
        view.as_view()


def test_an_action_can_be_taken_away():
    view = make(make(a=act("a"), b=act("b")), a=None)
    view.as_view()
    assert list(view.get_ws_actions()) == ["b"]


def test_an_action_may_be_decorated():
    def logged(method):
        @wraps(method)
        def inner(*args, **kwargs):
            return method(*args, **kwargs)

        return inner

    view = make(above=logged(act("above")), below=ws_action("below")(logged(on_message)))
    view.as_view()
    assert list(view.get_ws_actions()) == ["above", "below"]


# -- what it tells -----------------------------------------------------------------------------------------------------


def test_the_serializer_of_each_action_can_be_asked_without_a_request():
    class Other(Serializer):
        pass

    view = make(
        serializer_class=Named,
        a=act("own", serializer_class=Other),
        b=act("inherits"),
        c=act("none", serializer_class=None),
    )()
    found = {}
    for name in ["own", "inherits", "none", "on_message"]:
        view.action = name
        found[name] = view.get_serializer_class()
    assert found == {"own": Other, "inherits": Named, "none": None, "on_message": Named}


def test_its_repr_shows_no_data():
    from django_grip.rest.api_view.calls import WSCall

    assert repr(WSCall("a", "a", 1, {"secret": 1})) == "WSCall(action='a', method='a', ref=1)"
    assert repr(INHERITED) == "the view's serializer_class"
