"""Versions of an API: each route is described in the version that it has, or that is asked for."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.urls import include, path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.routers import DefaultRouter
from rest_framework.versioning import (
    AcceptHeaderVersioning,
    BaseVersioning,
    HostNameVersioning,
    NamespaceVersioning,
    QueryParameterVersioning,
    URLPathVersioning,
)

from django_grip.rest import LiveModelViewSet
from tests.asyncapi.documents import check_references, make, resolve

from ..models import Ticket


class Old(serializers.Serializer):
    title = serializers.CharField()


class New(serializers.Serializer):
    subject = serializers.CharField()


class Versioned(LiveModelViewSet):
    queryset = Ticket.objects.all()
    permission_classes = [AllowAny]

    def get_serializer_class(self) -> Any:
        # As DRF's own guide has it.
        return New if self.request.version == "v2" else Old


class Own:
    """A versioning that takes nothing from DRF's."""

    def determine_version(self, request: Any, *args: Any, **kwargs: Any) -> str:
        return "v1"


def describe(monkeypatch: pytest.MonkeyPatch, place: Any, versioning: Any, *options: str, **facts: Any) -> Any:
    """The fields of a ticket at each address. place: the router's URLs in their place. facts: of the versioning."""
    scheme = versioning and type("Scheme", (versioning,), facts)
    monkeypatch.setattr(Versioned, "versioning_class", scheme)
    router = DefaultRouter()
    router.register("tickets", Versioned, basename="ticket")
    urlconf: Any = ModuleType("versioned_urlconf")
    urlconf.urlpatterns = place(router.urls)
    monkeypatch.setitem(sys.modules, "versioned_urlconf", urlconf)
    document = make("--urlconf", "versioned_urlconf", *options)
    check_references(document)
    found = {}
    for channel in document["channels"].values():
        if channel["address"].endswith("tickets/") and "create_response" in channel["messages"]:
            data = channel["messages"]["create_response"]["payload"]["properties"]["data"]
            found[channel["address"]] = set(resolve(document, data["$ref"])["properties"])
    return found


def at_root(urls: Any) -> list[Any]:
    return [path("", include(urls))]


def in_namespaces(urls: Any) -> list[Any]:
    return [path(f"{name}/", include((urls, "api"), namespace=name)) for name in ("v1", "v2")]


def in_path(urls: Any) -> list[Any]:
    return [path("<version>/", include(urls))]


ALL = [AcceptHeaderVersioning, HostNameVersioning, QueryParameterVersioning, URLPathVersioning, NamespaceVersioning]


@pytest.mark.parametrize("versioning", [*ALL, Own, None])
def test_without_any_version_there_is_none(way: str, monkeypatch: pytest.MonkeyPatch, versioning: Any) -> None:
    assert describe(monkeypatch, at_root, versioning) == {"/tickets/": {"title"}}


@pytest.mark.parametrize("versioning", ALL[:-1])
def test_the_version_is_the_default_or_that_which_is_asked_for(
    way: str, monkeypatch: pytest.MonkeyPatch, versioning: type[BaseVersioning]
) -> None:
    place = in_path if versioning is URLPathVersioning else at_root
    facts = {"default_version": "v2", "allowed_versions": ["v1"]}
    address = "/{version}/tickets/" if versioning is URLPathVersioning else "/tickets/"
    for options, field in [((), "subject"), (("--api-version", "v1"), "title"), (("--api-version", "7"), "subject")]:
        assert describe(monkeypatch, place, versioning, *options, **facts) == {address: {field}}


def test_a_namespace_is_described_in_its_own_version(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ((), ("--api-version", "v1")):
        found = describe(monkeypatch, in_namespaces, NamespaceVersioning, *options)
        assert found == {"/v1/tickets/": {"title"}, "/v2/tickets/": {"subject"}}


def test_the_version_that_is_asked_for_is_the_documents_too(way: str) -> None:
    assert make()["info"]["version"] == "1.0.0"
    assert make("--api-version", "v2")["info"]["version"] == "v2"
