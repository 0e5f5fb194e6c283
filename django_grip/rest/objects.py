"""What names an object of a live viewset: its row's key, and what clients call it.

The key is for databases, and for channels, whose names no client sees. What is told to clients as ``pk`` is what they
can ask for: the value of the object's URL.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.db.models.manager import BaseManager

__all__ = ["family_of", "find_name", "find_name_in", "is_named_by_key", "key_of"]


def family_of(viewset: type[Any], model: type[Model]) -> type[Model]:
    """The model whose objects a viewset shows; one and the same for an object by way of its proxies and children."""
    queryset = viewset.queryset
    # It may be a list, or a property, which only an instance could tell.
    own = queryset.model._meta.concrete_model if isinstance(queryset, (QuerySet, BaseManager)) else None
    if own is not None and issubclass(model, own):
        return own  # type: ignore[no-any-return]
    return model._meta.concrete_model or model


def key_of(viewset: type[Any], instance: Model) -> Any:
    """The key of an object's row. A child with a key of its own has its family's, too."""
    return getattr(instance, family_of(viewset, type(instance))._meta.pk.attname)


def is_named_by_key(viewset: type[Any], model: type[Model]) -> bool:
    """Whether the URLs of a viewset's objects have their keys, as they do by default."""
    key = family_of(viewset, model)._meta.pk
    return viewset.lookup_field in ("pk", key.name, key.attname)


def find_name(viewset: type[Any], instance: Model) -> Any:
    """What clients call an object: what its URL has by ``lookup_field``. None where it has none that is known."""
    if is_named_by_key(viewset, type(instance)):
        return key_of(viewset, instance)
    found: Any = instance
    *relations, last = viewset.lookup_field.split("__")
    try:
        for name in relations:
            # What follows a value says how it is compared, such as "iexact".
            found = getattr(found, name) if isinstance(found, Model) else found
        found = getattr(found, _column_of(found, last)) if isinstance(found, Model) else found
    except (AttributeError, ObjectDoesNotExist):
        # It may be an annotation, which another queryset does not have.
        return None
    return None if isinstance(found, (Model, BaseManager, dict, list)) else found


def find_name_in(view: Any, instance: Any) -> Any:
    """What clients call the object of a view's URL, which may be no row of a model."""
    if isinstance(instance, Model):
        return find_name(type(view), instance)
    return view.kwargs.get(view.lookup_url_kwarg or view.lookup_field)


def _column_of(instance: Model, name: str) -> str:
    """The attribute that has a field's value; that of a relation is what it is looked up by."""
    return next((field.attname for field in instance._meta.concrete_fields if field.name == name), name)
