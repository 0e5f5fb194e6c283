"""A live viewset that cannot work is refused when it is routed; one that would tell the wrong people, by the checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.routers import DefaultRouter
from rest_framework.viewsets import ModelViewSet, ReadOnlyModelViewSet, ViewSet

from django_grip.rest import LiveModelViewSet, LiveViewSetMixin
from django_grip.rest.changes import signals

from ..fake_proxy import PROXIES
from .models import Project, Ticket
from .project import TicketSerializer, TicketViewSet
from .serving import Routes

ROOT = Path(__file__).parents[2]


def viewset(name: str = "Tickets", base: Any = TicketViewSet, **attributes: Any) -> Any:
    return type(name, (base,), {"__module__": __name__, "__qualname__": name, **attributes})


# -- when it is routed -------------------------------------------------------------------------------------------------

GOOD: list[dict[str, Any]] = [
    {},
    {"live_actions": ["list"]},
    {"live_actions": ()},
    {"live_actions": ("list", "mine"), "mine": lambda self, request: None},
    {"live_public": True, "live_serializer_class": TicketSerializer},
    {"live_recheck": None, "live_keep_alive": None, "live_max_wait": 5},
    {"live_recheck": 1, "live_keep_alive": 1, "live_max_wait": 3600},
    {"live_subprotocols": ["chat.v1", "chat.v2"]},
    {"live_subprotocols": []},
    # A project's own, which no name of ours is like.
    {"live_statistics": 7, "get_live_users": lambda self: [], "get_object_or_none": lambda self: None},
]


@pytest.mark.parametrize("attributes", GOOD, ids=lambda attributes: ", ".join(attributes) or "nothing")
def test_what_can_work_is_routed(attributes: dict[str, Any]) -> None:
    assert callable(viewset(**attributes).as_view({"get": "list"}))


async def unawaited(self: Any, *args: Any) -> list[str]:
    return []


SECONDS = "an int above 0 or None"
SUBPROTOCOLS = "a list of subprotocols, each a name without blanks"
REFUSED: list[tuple[str, Any, str]] = [
    ("live_actions", "list", "must be a list of names, not 'list'."),
    ("live_actions", None, "must be a list of names, not None."),
    ("live_actions", ["list", 7], "must be a list of names, not ['list', 7]."),
    ("live_actions", ["list", "lst"], "has 'lst', which is no method of it: did you mean 'list'?"),
    ("live_actions", ["retreive"], "has 'retreive', which is no method of it: did you mean 'retrieve'?"),
    ("live_actions", ["quux"], "has 'quux', which is no method of it."),
    ("live_public", 1, "must be True or False, not 1."),
    ("live_public", "yes", "must be True or False, not 'yes'."),
    ("live_signals", None, "must be True or False, not None."),
    ("live_serializer_class", "TicketSerializer", "must be a serializer class or None, not 'TicketSerializer'."),
    ("live_serializer_class", dict, "must be a serializer class or None, not <class 'dict'>."),
    ("live_recheck", 0, f"must be {SECONDS}, not 0."),
    ("live_recheck", True, f"must be {SECONDS}, not True."),
    ("live_recheck", 2.5, f"must be {SECONDS}, not 2.5."),
    ("live_keep_alive", -1, f"must be {SECONDS}, not -1."),
    ("live_keep_alive", "20", f"must be {SECONDS}, not '20'."),
    ("live_max_wait", None, "must be an int, 5 or more, not None."),
    ("live_max_wait", 4, "must be an int, 5 or more, not 4."),
    ("live_subprotocols", "grip.live", f"must be {SUBPROTOCOLS}, not 'grip.live'."),
    ("live_subprotocols", ["a b"], f"must be {SUBPROTOCOLS}, not ['a b']."),
    ("live_subprotocols", ["a,b"], f"must be {SUBPROTOCOLS}, not ['a,b']."),
    ("live_subprotocols", [""], f"must be {SUBPROTOCOLS}, not ['']."),
    (
        "live_subprotocols",
        ["bearer.x"],
        "must be a list of subprotocols without bearer.…, which carries a token, not ['bearer.x'].",
    ),
    (
        "live_subprotocols",
        ["Bearer.x"],
        "must be a list of subprotocols without bearer.…, which carries a token, not ['Bearer.x'].",
    ),
    ("get_live_channels", ["all"], "must be a method, not ['all']."),
    ("get_live_channels", unawaited, "must not be async: nothing here awaits it."),
    ("get_publish_channels", unawaited, "must not be async: nothing here awaits it."),
    ("get_object_channel", unawaited, "must not be async: nothing here awaits it."),
    ("get_live_serializer_context", unawaited, "must not be async: nothing here awaits it."),
    ("perform_create", unawaited, "must not be async: nothing here awaits it."),
    ("list", unawaited, "must not be async: nothing here awaits it."),
    ("dispatch", unawaited, "must not be async: nothing here awaits it."),
    ("live_recheks", 5, "means nothing: did you mean live_recheck?"),
    ("get_publish_channel", lambda self, ticket: [], "means nothing: did you mean get_publish_channels?"),
    ("get_live_channel", lambda self: [], "means nothing: did you mean get_live_channels?"),
    ("get_object_channels", lambda self, ticket: [], "means nothing: did you mean get_object_channel?"),
]


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    REFUSED,
    # Not a function's repr: its address differs between test processes.
    ids=[f"{name}={getattr(value, '__name__', None) or repr(value)}" for name, value, _ in REFUSED],
)
def test_what_cannot_work_is_refused_with_what_to_change(attribute: str, value: Any, text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        viewset(**{attribute: value}).as_view({"get": "list"})
    assert str(raised.value) == f"Tickets.{attribute} {text}"


def test_an_async_viewset_is_refused_however_it_is_called() -> None:
    """Packages that make viewsets async have sync methods beside the async ones, and say so as Django's views do."""
    both = viewset(view_is_async=True, alist=unawaited)
    with pytest.raises(ImproperlyConfigured, match=r"^Tickets must not be async: nothing here awaits what it does\.$"):
        both.as_view({"get": "list"})
    with pytest.raises(ImproperlyConfigured, match=r"^Tickets\.alist must not be async: nothing here awaits it\.$"):
        both.as_view({"get": "alist"})
    with pytest.raises(ImproperlyConfigured, match=r"^Tickets must not be async"):
        both.connect_live_signals()


ROUTES: list[tuple[str, Any]] = [("live_recheck", 0), ("live_actions", "list"), ("live_max_wait", 1)]


@pytest.mark.parametrize(("attribute", "value"), ROUTES)
def test_a_route_s_own_options_are_looked_at_too(attribute: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^TicketViewSet\.{attribute} must be "):
        TicketViewSet.as_view({"get": "list"}, **{attribute: value})
    assert callable(TicketViewSet.as_view({"get": "list"}, live_recheck=5, live_actions=["list"], live_max_wait=10))


@pytest.mark.parametrize("attribute", ["live_public", "live_serializer_class", "live_signals"])
def test_what_publishing_goes_by_is_the_class_s(attribute: str) -> None:
    expected = rf"^TicketViewSet\.as_view\(\) takes no '{attribute}': set it in a subclass, for publish_changes\(\)\.$"
    with pytest.raises(TypeError, match=expected):
        TicketViewSet.as_view({"get": "list"}, **{attribute: None})


@pytest.mark.parametrize("bases", [(LiveViewSetMixin, ViewSet), (LiveViewSetMixin,)], ids=["ViewSet", "nothing"])
def test_a_viewset_has_to_have_a_queryset(bases: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        type("Bare", bases, {}).as_view({"get": "list"})
    assert str(raised.value) == ("Bare must be a viewset with a queryset: class Bare(LiveViewSetMixin, ModelViewSet).")


def test_a_viewset_that_only_reads_can_be_live() -> None:
    reading = type("Reading", (LiveViewSetMixin, ReadOnlyModelViewSet), {"queryset": Ticket.objects.all()})
    assert callable(reading.as_view({"get": "list"}))


# -- the system checks -------------------------------------------------------------------------------------------------


@pytest.fixture
def check(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Route viewsets, and see what the checks say: id, text and hint of each message."""

    def run(*viewsets: Any) -> list[tuple[str, str, str]]:
        router = DefaultRouter()
        for number, routed in enumerate(viewsets):
            router.register(f"v{number}", routed, basename=f"v{number}")
        urlconf = ModuleType("tests.rest.checked_urls")
        urlconf.urlpatterns = [path("api/", include(router.urls))]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, urlconf.__name__, urlconf)
        settings.ROOT_URLCONF = urlconf.__name__
        settings.GRIP_PROXIES = PROXIES
        return [(message.id, message.msg, message.hint) for message in checks.run_checks(tags=["grip"])]

    return run


def listen(self: Any) -> list[str]:
    return ["mine"]


def tell(self: Any, instance: Any) -> list[str]:
    return ["mine"]


def tell_too(self: Any, instance: Any) -> list[str]:
    return ["mine", "theirs"]


def test_a_sound_viewset_is_passed_in_silence(check: Any) -> None:
    both = {"get_live_channels": listen, "get_publish_channels": tell}
    sound = [
        viewset("A"),
        viewset("B", live_public=True, live_serializer_class=TicketSerializer),
        viewset("C", **both),
        viewset("D", get_live_channels=listen, get_publish_channels=tell_too, live_serializer_class=TicketSerializer),
        # Of what is no row of a model.
        viewset("E", queryset=[]),
    ]
    assert check(*sound, type("Plain", (ModelViewSet,), {"queryset": Ticket.objects.all()})) == []


@pytest.mark.parametrize("attributes", [{}, {"get_live_channels": listen}, {"get_publish_channels": tell}], ids=list)
def test_a_serializer_that_nobody_has_allowed_is_an_error(check: Any, attributes: dict[str, Any]) -> None:
    found = check(viewset(live_serializer_class=TicketSerializer, **attributes))
    assert found[0] == (
        "grip.E007",
        f"{__name__}.Tickets has a live_serializer_class, but nothing says that who listens may see what it shows.",
        "Override get_live_channels() and get_publish_channels(), so that only those who may see an object hear of "
        "it; or set live_public = True, if everybody who may list may see every object.",
    )
    assert [message[0] for message in found[1:]] == (["grip.W010"] if attributes else [])


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (
            {"get_live_channels": listen},
            "overrides get_live_channels() only: lists listen on its own channels, and changes are told on the "
            "default channel.",
        ),
        (
            {"get_publish_channels": tell},
            "overrides get_publish_channels() only: lists listen on the default channel, and changes are told on its "
            "own channels.",
        ),
    ],
    ids=list,
)
def test_one_channel_method_without_the_other_is_warned_of(check: Any, attributes: dict[str, Any], text: str) -> None:
    hint = "Override both, so that they name the same channels."
    assert check(viewset(**attributes)) == [("grip.W010", f"{__name__}.Tickets {text}", hint)]


@pytest.mark.parametrize("attributes", [{}, {"get_queryset": lambda self: Ticket.objects.all()}], ids=list)
def test_a_queryset_that_has_nothing_to_tell_of_is_warned_of(check: Any, attributes: dict[str, Any]) -> None:
    assert check(viewset(queryset=Ticket.objects.none(), **attributes)) == [
        (
            "grip.W013",
            f"{__name__}.Tickets.queryset is none(), so nobody is told of any object.",
            "Give it all that anybody may hear of, as in queryset = Ticket.objects.all(); get_queryset() decides all "
            "the same what a request sees.",
        )
    ]


def test_a_mixin_that_does_not_stand_first_is_an_error(check: Any) -> None:
    late = type("Late", (ModelViewSet, LiveViewSetMixin), {"queryset": Ticket.objects.all(), "__module__": __name__})
    assert check(late) == [
        (
            "grip.E008",
            f"{__name__}.Late is not live: another class stands before LiveViewSetMixin and takes its place.",
            "Put it first: class Late(LiveViewSetMixin, ModelViewSet).",
        )
    ]


def test_an_as_view_of_the_project_s_own_may_stand_before_it(check: Any) -> None:
    class Own(LiveModelViewSet):
        queryset = Ticket.objects.all()
        serializer_class = TicketSerializer

        @classmethod
        def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
            return super().as_view(actions, **initkwargs)

    assert check(Own) == []


def test_viewsets_of_one_name_are_an_error(check: Any) -> None:
    assert check(viewset(), viewset(), viewset("Others")) == [
        (
            "grip.E009",
            f"2 live viewsets are called {__name__}.Tickets, so the subscribers of one hear of the others' objects.",
            "Give each class a name of its own in its module; one made in a function may set __qualname__.",
        )
    ]


def create(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    return Ticket.objects.create(**request.data)


def test_an_action_that_saves_by_itself_is_warned_of(check: Any) -> None:
    assert check(viewset(create=create)) == [
        (
            "grip.W011",
            f"{__name__}.Tickets.create() saves without perform_create(), so nobody is told of what it changes.",
            "Save in perform_create(), tell by publish_changes(), or set live_signals = True.",
        )
    ]
    assert check(viewset(create=create, http_method_names=["get"])) == []


def test_what_the_signals_hear_of_may_be_saved_anywhere(check: Any) -> None:
    hearing = viewset(create=create, live_signals=True)
    try:
        assert check(hearing) == []
    finally:
        signals.disconnect(hearing)


PUBLIC = {"live_public": True, "live_serializer_class": TicketSerializer}


@pytest.mark.parametrize(
    ("route", "attributes", "text"),
    [
        ("of/<int:project_pk>/", PUBLIC, "/api/of/{project_pk}/v/ is a list for each project_pk"),
        ("<a>/of/<b>/", {"live_public": True}, "/api/{a}/of/{b}/v/ is a list for each a, b"),
        ("of/<int:project_pk>/", {}, None),
        ("of/<int:project_pk>/", {**PUBLIC, "get_live_channels": listen, "get_publish_channels": tell}, None),
        ("<version>/", PUBLIC, None),
        ("", PUBLIC, None),
    ],
)
def test_public_lists_that_hear_of_each_other_s_objects_are_warned_of(
    routes: Routes, settings: Any, route: str, attributes: dict[str, Any], text: str | None
) -> None:
    settings.GRIP_PROXIES = PROXIES
    routes.add(viewset(**attributes), "v", f"api/{route}")
    found = [(message.id, message.msg) for message in checks.run_checks(tags=["grip"])]
    if text is None:
        assert found == []
        return
    heard = "who listens to one hears of the objects of all."
    assert found == [("grip.W012", f"{__name__}.Tickets is live_public, and {text}: {heard}")]


def test_an_extra_list_by_year_is_one_of_these(routes: Routes, settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES

    @action(detail=False, url_path=r"of/(?P<year>\d+)")
    def of_year(self: Any, request: Any, year: str) -> Any: ...

    routes.add(viewset("Yearly", of_year=of_year, **PUBLIC))
    assert checks.run_checks(tags=["grip"]) == []
    routes.add(viewset("Live", of_year=of_year, live_actions=["list", "retrieve", "of_year"], **PUBLIC), "live")
    assert [message.id for message in checks.run_checks(tags=["grip"])] == ["grip.W012"]


class FullSerializer(TicketSerializer):
    class Meta(TicketSerializer.Meta):
        fields = "__all__"


class Group(TicketViewSet):
    live_serializer_class = TicketSerializer
    get_live_channels = listen
    get_publish_channels = tell


@pytest.mark.parametrize(
    ("attributes", "is_warned"),
    [
        ({"live_serializer_class": FullSerializer}, True),
        # Then it hears what the other shows.
        ({"live_serializer_class": None}, True),
        ({}, False),
        ({"live_serializer_class": FullSerializer, "get_publish_channels": tell_too}, False),
        ({"live_serializer_class": FullSerializer, "get_live_channels": lambda self: ["theirs"]}, True),
    ],
)
def test_who_publishes_another_s_objects_to_the_same_people_by_another_serializer_is_warned_of(
    check: Any, attributes: dict[str, Any], is_warned: bool
) -> None:
    text = (
        f"{__name__}.Group and {__name__}.Staff tell of changes on the same channels, by another "
        "live_serializer_class each: who listens to one hears what the other shows."
    )
    hint = (
        "Override get_live_channels() and get_publish_channels() in one of them, so that they name other channels; or "
        "give both the same live_serializer_class."
    )
    found = check(Group, viewset("Staff", Group, **attributes))
    assert found == ([("grip.W014", text, hint)] if is_warned else [])


def test_the_order_of_the_routes_makes_no_difference_to_that(check: Any) -> None:
    staff = viewset("Staff", Group, live_serializer_class=FullSerializer)
    found = check(staff, viewset("Others", Group, get_publish_channels=tell_too), Group)
    assert [message[0] for message in found] == ["grip.W014"]


def test_who_shares_methods_and_no_objects_with_another_is_passed(check: Any) -> None:
    """What a mixin's methods name may well depend on the model."""
    mixin = type("Channels", (), {"get_live_channels": listen, "get_publish_channels": tell})
    bases = (mixin, LiveModelViewSet)
    tickets = type("OfTickets", bases, {"queryset": Ticket.objects.all(), "live_serializer_class": TicketSerializer})
    assert check(tickets, type("OfProjects", bases, {"queryset": Project.objects.all()})) == []
    assert check(tickets, type("OfOthers", bases, {"queryset": Ticket.objects.all()})) == []
    assert check(Group, viewset("Projects", Group, queryset=Project.objects.all(), live_serializer_class=None)) == []


def test_without_a_queryset_the_method_that_finds_the_objects_tells_whether_they_are_the_same(check: Any) -> None:
    found = viewset("Found", Group, queryset=None, get_queryset=lambda self: Ticket.objects.all())
    assert [each[0] for each in check(found, viewset("Full", found, live_serializer_class=None))] == ["grip.W014"]
    other = {"get_queryset": lambda self: Project.objects.all(), "live_serializer_class": None}
    assert check(found, viewset("Other", found, **other)) == []


def test_default_channels_are_each_viewset_s_own(check: Any) -> None:
    public = viewset("Public", live_public=True, live_serializer_class=TicketSerializer)
    assert check(public, viewset("Full", public, live_serializer_class=FullSerializer)) == []


def test_a_project_without_a_urlconf_is_passed(settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES
    settings.ROOT_URLCONF = None
    assert checks.run_checks(tags=["grip"]) == []


def test_checks_of_a_project_without_live_viewsets_do_not_load_django_rest_framework(tmp_path: Path) -> None:
    (tmp_path / "plain_urls.py").write_text("urlpatterns = []\n")
    script = f"""
import sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django_grip"], ROOT_URLCONF="plain_urls", MIDDLEWARE=["django_grip.GripMiddleware"],
    GRIP_PROXIES={PROXIES!r}, SECRET_KEY="x" * 50,
)
django.setup()
from django.core import checks
print(checks.run_checks(tags=["grip"]), [name for name in sys.modules if name.startswith("rest_framework")])
"""
    env = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[] []\n", "")
