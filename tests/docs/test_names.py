"""The documentation and the package name the same things: public names, settings, checks, attributes, methods."""

from __future__ import annotations

import ast
import dataclasses
import re
from importlib import import_module
from importlib.util import find_spec
from inspect import get_annotations
from pathlib import Path
from typing import Any

import pytest

import django_grip
from django_grip import checks, conf, exceptions
from django_grip.conf import GripSettings
from django_grip.protocol.instruct import Instruct
from django_grip.protocol.proxy_config import ENTRY_NAMES
from django_grip.protocol.session import WebSocketSession
from django_grip.publishing import Counters, ProxyResult, Publication
from django_grip.request import GripData, GripHttpRequest
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from .pages import codes, read, rows, section

REST, TESTING_REST = (
    import_module(name).__all__ if find_spec("rest_framework") else []
    for name in ("django_grip.rest", "django_grip.testing.rest")
)


def first_cells(text: str) -> list[str]:
    return [codes(row[0])[0] for row in rows(text) if codes(row[0])]


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("django_grip", django_grip.__all__),
        ("django_grip.views", import_module("django_grip.views").__all__),
        ("django_grip.testing", import_module("django_grip.testing").__all__),
        pytest.param("django_grip.rest", REST, marks=pytest.mark.needs("rest")),
        pytest.param("django_grip.testing.rest", TESTING_REST, marks=pytest.mark.needs("rest")),
        ("Errors", exceptions.__all__),
    ],
)
def test_the_reference_has_each_public_name_once(heading: str, names: list[str]) -> None:
    assert sorted(first_cells(section("reference.md", heading))) == sorted(names)


@pytest.mark.parametrize("module", ["django_grip.links", "django_grip.publisher"])
def test_what_the_reference_names_of_a_module_is_public_in_it(module: str) -> None:
    assert set(first_cells(section("reference.md", module))) <= set(import_module(module).__all__)


def test_the_reference_says_from_which_error_each_one_comes() -> None:
    told = {codes(name)[0]: codes(below)[0] for name, below, _ in rows(section("reference.md", "Errors"))}
    bases = {name: getattr(exceptions, name).__bases__[0].__name__ for name in exceptions.__all__}
    assert told == bases


def test_the_changelog_names_the_version_and_every_new_setting() -> None:
    text = read("CHANGELOG.md")
    assert f"## {django_grip.__version__}" in text
    older = {"GRIP_PROXIES", "GRIP_URL", "GRIP_VERIFY_KEY", "GRIP_PREFIX", "GRIP_PROXY_REQUIRED", "PUBLISH_SERVERS"}
    assert {name for name in conf.KNOWN_SETTINGS if name not in text} == older


# -- settings and checks -----------------------------------------------------------------------------------------------


def test_every_setting_has_a_section_of_its_own() -> None:
    headings = re.findall(r"^### ([A-Z_]+)$", read("settings.md"), re.MULTILINE)
    assert sorted(headings) == sorted(conf.KNOWN_SETTINGS)


def test_every_setting_has_an_example_and_its_default() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(GripSettings)}
    for name, setting in conf._SETTINGS.items():
        text = section("settings.md", name)
        assert f"{name} = " in text
        default = defaults.get(setting.target, ())
        if default == ():
            assert re.search(r"[Dd]efault(:| is)? (none|empty)", text), name
        else:
            shown = f"{default:g}" if isinstance(default, float) else repr(default).replace("'", '"')
            stands = rf"default `?{re.escape(shown)}`?|`{re.escape(shown)}` \(default\)"
            assert re.search(stands, text), (name, shown)


def test_every_entry_of_a_proxy_is_explained() -> None:
    assert set(first_cells(section("settings.md", "GRIP_PROXIES"))) == ENTRY_NAMES


def test_every_check_is_explained() -> None:
    files = [Path(checks.__file__), Path(checks.__file__).parent / "rest" / "checks.py"]
    given = {name for file in files for name in re.findall(r'id="(grip\.[EW]\d{3})"', file.read_text(encoding="utf-8"))}
    assert first_cells(section("settings.md", "System checks")) == sorted(given)


@pytest.mark.parametrize(
    "page", ["README.md", "upgrading.md", "settings.md", "deployment.md", "security.md", "views.md"]
)
def test_no_page_names_a_setting_that_does_not_exist(page: str) -> None:
    named = set(re.findall(r"\bGRIP_[A-Z_]+\b", read(page)))
    assert named <= conf.KNOWN_SETTINGS


# -- views -------------------------------------------------------------------------------------------------------------

VIEWS: dict[str, type[Any]] = {
    "websocket.md": WebSocketView,
    "stream.md": StreamView,
    "long-poll.md": LongPollView,
}


@pytest.mark.parametrize("page", VIEWS)
def test_the_attributes_of_a_view_have_the_defaults_that_are_told(page: str) -> None:
    for names, default, _ in rows(section(page, "Attributes")):
        for name in codes(names):
            value = getattr(VIEWS[page], name)
            assert _as_list(value) == ast.literal_eval(default.strip("`")), name


@pytest.mark.parametrize("page", VIEWS)
def test_the_attributes_of_a_view_are_all_told(page: str) -> None:
    view = VIEWS[page]
    told = {name for row in rows(section(page, "Attributes")) for name in codes(row[0])}
    assert told == {
        name
        for cls in view.__mro__
        if cls.__module__.startswith("django_grip.")
        for name in get_annotations(cls)
        if name in vars(cls) and not name.startswith("_") and not _is_inner(cls, name)
    } - _NO_USE.get(page, set())


@pytest.mark.needs("rest")
def test_the_attributes_of_a_live_viewset_are_all_told_with_their_defaults() -> None:
    mixin = import_module("django_grip.rest").LiveViewSetMixin
    table = rows(section("rest.md", "Attributes"))
    defaults = {codes(name)[0]: ast.literal_eval(default.strip("`")) for name, default, _ in table}
    # What a request has found is not for a project to set.
    names = {name for name in get_annotations(mixin) if name in vars(mixin)} - {"live_object"}
    assert defaults == {name: _as_list(getattr(mixin, name)) for name in names}
    assert all(f"\n    {name}: " in mixin.__doc__ for name in names), "the docstring has them too"


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.needs("rest")
@pytest.mark.parametrize(("page", "name"), [("rest.md", "LiveModelViewSet"), ("rest-websocket.md", "WebSocketAPIView")])
def test_what_a_page_on_django_rest_framework_calls_is_there(page: str, name: str) -> None:
    view = getattr(import_module("django_grip.rest"), name)
    known = {*dir(view), *(name for cls in view.__mro__ for name in get_annotations(cls)), "request", "args", "kwargs"}
    text = read(page)
    assert set(re.findall(r"\bself\.(\w+)", text)) <= known
    assert set(re.findall(r"`((?:live|get_live|get_publish)_\w+)", text)) <= known
    assert set(re.findall(r"`(\w+_classes?)`", text)) <= known


@pytest.mark.parametrize("page", ["README.md", "rest.md"])
def test_the_mixin_is_shown_in_the_first_ten_lines(page: str) -> None:
    assert "class TicketViewSet(LiveViewSetMixin, ModelViewSet):" in read(page).splitlines()[:10]


# A long-poll is asked again in any case.
_NO_USE = {"long-poll.md": {"live_recheck"}}


def _is_inner(cls: type, name: str) -> bool:
    """Whether an attribute is not for a project to set."""
    return "ClassVar" in str(get_annotations(cls)[name])


@pytest.mark.parametrize("page", VIEWS)
def test_the_hooks_of_a_view_are_all_told(page: str) -> None:
    hooks = {row[0] for row in rows(section("views.md", "Hooks"))}
    assert any(VIEWS[page].__name__ in codes(cell) for cell in hooks)
    if VIEWS[page].hook_names:
        told = {code.partition("(")[0] for code in first_cells(section(page, "Hooks").partition("\n### ")[0])}
        assert told - {"on_error"} == set(VIEWS[page].hook_names)


@pytest.mark.parametrize(
    ("page", "view"),
    [*VIEWS.items(), ("event-stream.md", EventStreamView), ("views.md", WebSocketView)],
)
def test_what_a_page_calls_on_self_is_there(page: str, view: type[Any]) -> None:
    known = set(dir(view)) | {name for cls in view.__mro__ for name in get_annotations(cls)}
    assert {name for name in re.findall(r"\bself\.(\w+)", read(page)) if name not in known} <= {
        "request",
        "args",
        "kwargs",
    }


def test_what_the_page_on_function_views_calls_is_there() -> None:
    text = read("procedural.md")
    session = WebSocketSession("c", {}, [])
    instruct = Instruct()
    grip = GripData(GripHttpRequest())
    for name in re.findall(r"\bws\.(\w+)", text):
        assert hasattr(session, name), f"ws.{name}"
    for name in re.findall(r"\binstruct\.(\w+)", text):
        assert hasattr(instruct, name), f"instruct.{name}"
    for name in re.findall(r"\brequest\.grip\.(\w+)", text):
        assert hasattr(grip, name), f"request.grip.{name}"
    for name in re.findall(r"`(set_\w+|add_\w+)\(", section("procedural.md", "More than a hold")):
        assert hasattr(instruct, name), name


def test_what_the_page_on_publishing_reads_is_there() -> None:
    text = read("publishing.md")
    for name in re.findall(r"\bpublication\.(\w+)", text):
        assert hasattr(Publication, name), name
    for name in re.findall(r"\bnumbers\.(\w+)", text):
        assert name in {field.name for field in dataclasses.fields(Counters)}
    assert ProxyResult._fields == ("url", "error", "attempts")
