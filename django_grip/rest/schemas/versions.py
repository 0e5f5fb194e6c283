"""The version of an API that a route is described in: ``self.request.version``, as a view finds it."""

from __future__ import annotations

from typing import Any

from django.urls import ResolverMatch
from rest_framework.versioning import AcceptHeaderVersioning, NamespaceVersioning, URLPathVersioning

from ...endpoints import Endpoint

__all__ = ["set_version"]


def set_version(view: Any, endpoint: Endpoint, wanted: str | None) -> None:
    """Do for the request of a view that is described what DRF does for one that comes.

    wanted: the version to describe, where the route has none of its own and its versioning has that one.
    Raises: NotFound for a route whose namespace is no version.
    """
    request = view.request
    request.version, request.versioning_scheme = None, None
    if view.versioning_class is None:
        return
    request.versioning_scheme = scheme = view.versioning_class()
    request.version = version = _choose(scheme, wanted)
    if isinstance(scheme, NamespaceVersioning):
        namespaces: list[str | None] = [*(endpoint.name or "").split(":")[:-1]]
        request.resolver_match = ResolverMatch(endpoint.view, (), {}, namespaces=namespaces)
        request.version = scheme.determine_version(request)
    elif isinstance(scheme, URLPathVersioning) and version is not None:
        view.kwargs[scheme.version_param] = version
    elif isinstance(scheme, AcceptHeaderVersioning):
        request.accepted_renderer, media_type = view.perform_content_negotiation(request)
        parameter = "" if version is None else f"; {scheme.version_param}={version}"
        request.accepted_media_type = media_type.partition(";")[0] + parameter


def _choose(scheme: Any, wanted: str | None) -> str | None:
    is_allowed = getattr(scheme, "is_allowed_version", None)
    if wanted is not None and is_allowed is not None and is_allowed(wanted):
        return wanted
    default: str | None = getattr(scheme, "default_version", None)
    return default
