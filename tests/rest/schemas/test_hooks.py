"""drf-spectacular's POSTPROCESSING_HOOKS count in an AsyncAPI document, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.asyncapi.documents import check_references, make, resolve

pytestmark = pytest.mark.needs("rest", "spectacular")


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The document, where there are hooks: ``hooked(hook)``."""
    from drf_spectacular.settings import spectacular_settings

    own = spectacular_settings.POSTPROCESSING_HOOKS

    def run(*hooks: Any) -> Any:
        monkeypatch.setattr(spectacular_settings, "POSTPROCESSING_HOOKS", [*own, *hooks])
        document = make("--urlconf", "tests.rest.schemas.project")
        check_references(document)
        return document

    return run


def shout(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """As `camelize_serializer_fields`: it changes what the generator has, in its place."""
    for component in generator.registry._components.values():
        if "properties" in component.schema:
            properties = component.schema["properties"].items()
            component.schema["properties"] = {name.upper(): schema for name, schema in properties}
    return result


def describe_paths(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """It makes a document anew, below other paths."""
    for methods in result["paths"].values():
        for operation in methods.values():
            for body in operation.get("requestBody", {}).get("content", {}).values():
                body["schema"] = {"type": "object", "properties": {"hooked": {"type": "boolean"}}}
    return {**result, "paths": {f"/gateway{path}": methods for path, methods in result["paths"].items()}}


def look_for_another(result: Any, generator: Any, request: Any, public: bool) -> Any:
    result["paths"]["/api/login/"]["post"]["security"] = []
    return result


def hide_all(result: Any, generator: Any, request: Any, public: bool) -> Any:
    return {**result, "paths": {}}


def data_of(document: Any, channel: str, message: str) -> Any:
    data = document["channels"][channel]["messages"][message]["payload"]["properties"]["data"]
    return resolve(document, data["$ref"]) if "$ref" in data else data


def test_what_they_make_of_serializers_is_what_messages_have(hooked: Any) -> None:
    document = hooked(shout)
    for message in ("create", "retrieve_response"):
        assert "TITLE" in data_of(document, "api_tickets_websocket", message)["properties"]
    # Of live_serializer_class.
    assert data_of(document, "api_mine_websocket", "created")["properties"].keys() == {"ID", "TITLE"}
    posted = document["channels"]["rooms_room_websocket"]["messages"]["posted"]["payload"]
    assert resolve(document, posted["$ref"])["properties"].keys() == {"TEXT"}


def test_what_they_make_of_operations_too(hooked: Any) -> None:
    document = hooked(describe_paths)
    assert data_of(document, "api_tickets_websocket", "create")["properties"].keys() == {"hooked"}


def test_one_that_looks_for_another_view_changes_nothing(hooked: Any) -> None:
    assert hooked(look_for_another) == hooked()


def test_an_action_that_they_hide_stays_unknown(hooked: Any) -> None:
    document = hooked(hide_all)
    assert data_of(document, "api_tickets_websocket", "create") == {}
    assert data_of(document, "api_mine_websocket", "created")["properties"].keys() == {"id", "title"}
