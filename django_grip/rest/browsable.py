"""The browsable API of a live URL: a panel that subscribes, shows what comes, and sends actions."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.settings import api_settings

__all__ = ["LiveBrowsableAPIRenderer", "live_browsable"]

# What a client that may not see the URL gets; it may not subscribe either.
_REFUSED = (401, 403, 404)

# Seconds that the panel's long-poll asks for.
_WAIT = 25


class LiveBrowsableAPIRenderer(BrowsableAPIRenderer):
    """The framework's browsable API with a panel for the live transports, where the URL is live.

    A live viewset puts it in the place of the framework's own. Its template extends ``rest_framework/api.html``, so a
    project's own template of that name is respected.
    """

    template = "django_grip/rest/api.html"

    def get_context(self, data: Any, accepted_media_type: Any, renderer_context: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        view, request = renderer_context["view"], renderer_context["request"]
        is_live = getattr(view, "live_action", None) is not None
        if is_live and renderer_context["response"].status_code not in _REFUSED:
            context["live"] = {
                "url": live_url(view, request),
                "detail": view.is_live_detail,
                "proxied": getattr(request, "grip_proxied", False),
                "wait": min(_WAIT, view.live_max_wait),
                "examples": _examples(context),
            }
        return context


def live_browsable(view: Any, renderers: list[BaseRenderer]) -> list[BaseRenderer]:
    """The renderers, with the framework's browsable API made live on a live route.

    Only what is exactly the framework's: a project's subclass has a template and a context of its own. Without
    ``"django_grip"`` in INSTALLED_APPS the panel's template and files are not found, and nothing is replaced.
    """
    if view.live_action is None or not apps.is_installed("django_grip"):
        return renderers
    return [LiveBrowsableAPIRenderer() if type(each) is BrowsableAPIRenderer else each for each in renderers]


def live_url(view: Any, request: Any) -> str:
    """The URL of this page without what asks for HTML: the query parameter ``format``, or a suffix such as ``.api``."""
    path, query = request.path, request.GET.copy()
    query.pop(api_settings.URL_FORMAT_OVERRIDE, None)
    if view.kwargs.get(name := api_settings.FORMAT_SUFFIX_KWARG):
        kwargs = {key: value for key, value in view.kwargs.items() if key != name}
        try:
            path = view.reverse_action("detail" if view.is_live_detail else "list", kwargs=kwargs, request=None)
        except (NoReverseMatch, AttributeError, TypeError):
            path = path.rstrip("/").removesuffix("." + view.kwargs[name])
    return f"{path}?{query.urlencode()}" if query else str(path)


def _examples(context: dict[str, Any]) -> dict[str, str]:
    """What the form for actions is prefilled with, by action: the JSON of DRF's own raw data forms."""
    forms = {"create": "post", "update": "put", "partial_update": "patch"}
    examples = {action: _content(context.get(f"raw_data_{method}_form")) for action, method in forms.items()}
    # On a list there is no object yet to fill a form with.
    examples["update"] = examples["update"] or examples["create"]
    examples["partial_update"] = examples["partial_update"] or "{}"
    return {action: content for action, content in examples.items() if content}


def _content(form: Any) -> str:
    """The JSON in one of DRF's raw data forms; nothing if there is no form, or its parser is not that of JSON."""
    content = form.fields["_content"].initial if form else None
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False) if content else ""
    except ValueError:
        return ""
