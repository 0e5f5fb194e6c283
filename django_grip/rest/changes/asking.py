"""What a viewset is asked when one of its objects has changed: where that is told, and what may be told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.db.models import QuerySet
from django.db.models.manager import BaseManager
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from ...encoding import decode_json
from ...endpoints import name_of
from ...exceptions import ChannelNameError
from ..channels import key_channel, list_channel
from ..objects import find_name, is_named_by_key, key_of
from ..renderers import find_json_renderer

if TYPE_CHECKING:
    from django.db.models import Model

__all__ = [
    "NOWHERE",
    "Place",
    "ask_after",
    "ask_before",
    "ask_own",
    "depends_on_rows",
    "find_by_key",
    "find_shown",
    "has_own_channels",
    "is_overridden",
    "is_shown",
    "leaves_out",
    "make_bare_view",
    "make_data",
    "may_show_more",
    "may_tell",
    "own_queryset",
    "read_names",
    "shown_rows",
]

logger = logging.getLogger("django_grip")


def is_overridden(viewset: type[Any], name: str) -> bool:
    """Whether a method of the mixin is a project's own."""
    return not str(getattr(getattr(viewset, name), "__module__", "")).startswith("django_grip.rest.")


def has_own_channels(viewset: type[Any]) -> bool:
    """Whether the channels of an object depend on it."""
    return is_overridden(viewset, "get_publish_channels")


def may_tell(viewset: type[Any]) -> bool:
    """Whether lists may be told which object has changed, and what `live_serializer_class` shows of it.

    Otherwise who hears might not be who may see, and they only hear that there is news.
    """
    return bool(viewset.live_public) or (
        is_overridden(viewset, "get_publish_channels") and is_overridden(viewset, "get_live_channels")
    )


def make_bare_view(viewset: type[Any]) -> Any:
    """A view that answers no request: what it says is the same for everybody."""
    view = viewset()
    view.request, view.args, view.kwargs, view.format_kwarg = None, (), {}, None
    view.action, view.action_map = None, {}
    return view


# -- places --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where one is told of an object, as it was at some time.

    lists: the channels of lists; None where that is not known. own: the object's own channel, None likewise.
    name: what clients call it; None where it has no URL, or none that is known.
    """

    lists: list[str] | None = None
    own: str | None = None
    name: Any = None


NOWHERE = Place([])


def depends_on_rows(viewset: type[Any], model: type[Model]) -> bool:
    """Whether it takes more than an object's key to tell of it."""
    return (
        has_own_channels(viewset) or is_overridden(viewset, "get_object_channel") or not is_named_by_key(viewset, model)
    )


def ask_before(viewset: type[Any], view: Any, instance: Model) -> Place:
    """Find an object's place before it is changed. What cannot be found out is logged.

    A write does not fail for want of someone to tell. Only an error of the database is raised: within a transaction
    nothing could follow it anyway, and here is its cause.
    """
    try:
        lists = _ask(viewset, view, instance)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("%s: where object %r was, before it was changed, is not known.", name_of(viewset), instance.pk)
        lists = None
    return ask_own(viewset, view, instance, lists)


def ask_after(viewset: type[Any], view: Any, instance: Model) -> Place:
    """Find the place of an object as it is now. What cannot be found out is logged."""
    try:
        lists = _ask(viewset, view, instance)
    except Exception:
        logger.exception("%s: where to tell of object %r is not known.", name_of(viewset), instance.pk)
        lists = None
    return ask_own(viewset, view, instance, lists)


def ask_own(viewset: type[Any], view: Any, instance: Model, lists: list[str] | None = None) -> Place:
    """Find what an object has of its own, its channel and its name. lists: what is known of its place already."""
    try:
        own = _choose_view(viewset, view).get_object_channel(instance)
        return Place(lists, own, find_name(viewset, instance))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("%s: who has opened object %r is not known.", name_of(viewset), instance.pk)
        return Place(lists)


def find_by_key(viewset: type[Any], alias: str, pk: Any) -> Place:
    """Find an object's place by its key alone, where it does not depend on its row."""
    try:
        own = key_channel(viewset, alias, pk)
    except ChannelNameError:
        # Nor has anybody been able to subscribe to it.
        own = None
    return Place([list_channel(viewset)], own, pk)


def _choose_view(viewset: type[Any], view: Any) -> Any:
    return view if view is not None else make_bare_view(viewset)


def _ask(viewset: type[Any], view: Any, instance: Model) -> list[str]:
    if not has_own_channels(viewset):
        return [list_channel(viewset)]
    return read_names(_choose_view(viewset, view).get_publish_channels(instance))


def read_names(channels: Any) -> list[str]:
    """What get_publish_channels() has returned. Raises: TypeError, if it is not names of channels."""
    if isinstance(channels, (str, bytes)) or not isinstance(channels, Iterable):
        raise TypeError(f"get_publish_channels() must return a list of names, not {type(channels).__name__}.")
    names = list(dict.fromkeys(channels))
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"get_publish_channels() returned a {type(name).__name__} among its names.")
    return names


# -- objects -------------------------------------------------------------------------------------------------------


def find_shown(viewset: type[Any], model: type[Any], alias: str, pks: Sequence[Any]) -> dict[Any, Model]:
    """Find those objects, as everybody would, that the viewset shows: one query.

    They are read anew, since the instance that was changed came by the acting user's own queryset, with what that
    prefetched and annotated.
    """
    return {key_of(viewset, row): row for row in shown_rows(viewset, model).using(alias).filter(pk__in=pks)}


def own_queryset(viewset: type[Any]) -> QuerySet[Any] | None:
    """The `queryset` of the class; None without one, and where it is no model's."""
    queryset = viewset.queryset
    return queryset.all() if isinstance(queryset, (QuerySet, BaseManager)) else None


def shown_rows(viewset: type[Any], model: type[Any]) -> QuerySet[Any]:
    """The objects that anybody may hear of: those of the viewset's own `queryset`; without one, every object.

    `get_queryset` may show fewer of them, or annotate them; it cannot be asked, as it asks who wants to know.
    """
    rows = own_queryset(viewset)
    return model._base_manager.all() if rows is None or _cannot_be_asked(rows) else rows


def leaves_out(viewset: type[Any]) -> bool:
    """Whether there are objects that nobody hears of, so that one has to look which they are."""
    rows = own_queryset(viewset)
    return rows is not None and not _cannot_be_asked(rows) and bool(rows.query.where)


def _cannot_be_asked(rows: QuerySet[Any]) -> bool:
    """Whether one cannot look for an object among them, neither here nor by a request: a slice, a union."""
    return bool(rows.query.is_sliced or rows.query.combinator)


def may_show_more(viewset: type[Any]) -> bool:
    """Whether somebody may have opened an object that the viewset's own `queryset` leaves out."""
    return viewset.get_queryset is not GenericAPIView.get_queryset and leaves_out(viewset)


def is_shown(viewset: type[Any], model: type[Any], alias: str, pk: Any) -> bool:
    """Whether that is an object that anybody may hear of. No query where it may be any."""
    return not leaves_out(viewset) or shown_rows(viewset, model).using(alias).filter(pk=pk).exists()


# -- data ----------------------------------------------------------------------------------------------------------


def make_data(viewset: type[Any], instance: Model) -> Any:
    """What `live_serializer_class` shows of an object, as JSON holds it; None without that class, or if it fails.

    No request has a part in it: neither the acting user's nor anybody's.
    """
    if viewset.live_serializer_class is None:
        return None
    try:
        view = make_bare_view(viewset)
        serializer = viewset.live_serializer_class(instance, context=view.get_live_serializer_context())
        return _render(view, serializer.data)
    except Exception:
        logger.exception("%s: live_serializer_class failed for object %r.", name_of(viewset), instance.pk)
        return None


def _render(view: Any, data: Any) -> Any:
    """Data as the viewset's own renderer of JSON writes it: with the keys and formats of the answer to a GET."""
    # Not get_renderers(), which may ask the request.
    renderer = find_json_renderer([each() for each in view.renderer_classes]) or JSONRenderer()
    context = {"view": view, "request": None, "response": Response(data), "args": (), "kwargs": {}}
    try:
        text = renderer.render(data, renderer.media_type, context)
        return decode_json(text if isinstance(text, str) else bytes(text).decode())
    except Exception:
        if type(renderer) is JSONRenderer:
            raise
        # It may need a request. Without it the data still says what has become of the object.
        kind = type(renderer).__name__
        logger.exception("%s: %s failed for an event; DRF's JSONRenderer makes its data.", name_of(type(view)), kind)
        return decode_json(JSONRenderer().render(data).decode())
