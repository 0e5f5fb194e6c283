"""The schemas of serializers, as Django REST framework maps them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.schemas.generators import BaseSchemaGenerator
from rest_framework.schemas.openapi import AutoSchema

from ...asyncapi.components import PREFIX
from ...endpoints import Endpoint
from .json_schema import Schema, for_requests, for_responses, to_json_schema
from .serializers import Described
from .versions import set_version

__all__ = ["DRFSchemas"]

# What is known of these is what a router maps them to. All else may take and answer anything.
_STANDARD_ACTIONS = frozenset({"list", "create", "retrieve", "update", "partial_update", "destroy"})
_READS, _WRITES = frozenset({"GET"}), frozenset({"POST", "PUT", "PATCH"})


class DRFSchemas:
    """Schemas by Django REST framework's own mapping of fields. version: see `set_version`."""

    def __init__(self, version: str | None = None) -> None:
        self._version = version

    def describe_action(self, endpoint: Endpoint, method: str) -> Described:
        view = BaseSchemaGenerator().create_view(endpoint.view, method)
        view.request = _make_request(endpoint, method)
        set_version(view, endpoint, self._version)
        # As drf-spectacular has it: for what a viewset cannot tell without a user.
        view.swagger_fake_view = True
        mapper = _Mapper(view)
        if view.action not in _STANDARD_ACTIONS:
            return Described({} if method in _WRITES else None, {})
        if method == "DELETE":
            return Described()
        serializer = view.get_serializer(partial=method == "PATCH")
        request = mapper.refer(serializer, is_request=True) if method in _WRITES else None
        # Even to a partial update the answer is all of it.
        response = mapper.refer(view.get_serializer() if method in _WRITES else serializer, is_request=False)
        if view.action == "list":
            response = _paginated(mapper, {"type": "array", "items": response})
        return Described(request, response, mapper.definitions)

    def describe_serializer(self, serializer_class: Any, view: Any) -> Described:
        mapper = _Mapper(view)
        request = mapper.refer(serializer_class(), is_request=True)
        response = mapper.refer(serializer_class(), is_request=False)
        return Described(request, response, mapper.definitions)


class _Mapper(AutoSchema):
    """Maps serializers to schemas of their own, so that one may hold itself."""

    def __init__(self, view: Any) -> None:
        super().__init__()
        self.view = view
        self.definitions: dict[str, Schema] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._is_request = False

    def refer(self, serializer: Any, *, is_request: bool) -> Schema:
        """A reference to a serializer's schema, which is made if it is not there yet."""
        if isinstance(serializer, serializers.ListSerializer):
            return {"type": "array", "items": self.refer(serializer.child, is_request=is_request)}
        if not isinstance(serializer, serializers.Serializer):
            return {}
        key = (type(serializer), is_request, serializer.partial)
        if key not in self._names:
            self._names[key] = name = self._make_name(serializer, is_request)
            # It is there before it is finished, for those that hold themselves.
            self.definitions[name] = {}
            outer, self._is_request = self._is_request, is_request
            try:
                schema = to_json_schema(self.map_serializer(serializer))
            finally:
                self._is_request = outer
            self.definitions[name] = for_requests(schema) if is_request else for_responses(schema)
        return {"$ref": PREFIX + self._names[key]}

    def _make_name(self, serializer: Any, is_request: bool) -> str:
        name = base = (
            f"{'Patched' if serializer.partial else ''}"
            f"{self.get_component_name(serializer)}{'Request' if is_request else ''}"
        )
        number = 1
        while name in self.definitions:
            number += 1
            name = f"{base}{number}"
        return name

    def map_field(self, field: Any) -> Schema:
        if isinstance(field, serializers.BaseSerializer):
            return self.refer(field, is_request=self._is_request)
        if _is_unknown(field):
            # DRF would say that it is a string, or an object.
            return {}
        schema: Schema = super().map_field(field)
        return schema


def _is_unknown(field: Any) -> bool:
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        return field.pk_field is None and field.queryset is None
    return isinstance(
        field,
        (
            serializers.SerializerMethodField,
            serializers.ReadOnlyField,
            serializers.ModelField,
            serializers.JSONField,
        ),
    )


def _paginated(mapper: _Mapper, schema: Schema) -> Schema:
    paginator = mapper.get_paginator()
    paginated: Schema = to_json_schema(paginator.get_paginated_response_schema(schema)) if paginator else schema
    return paginated


def _make_request(endpoint: Endpoint, method: str) -> Request:
    """What a view finds as self.request while nobody asks anything of it."""
    request = HttpRequest()
    request.method = method
    request.path = request.path_info = endpoint.address
    return Request(request)
