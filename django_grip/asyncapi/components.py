"""The schemas that messages share: each once, and of two that have one name each under a name of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["PREFIX", "Components", "Schema", "find_references"]

Schema = dict[str, Any]
PREFIX = "#/components/schemas/"


class Components:
    """What ``components.schemas`` of a document holds."""

    def __init__(self) -> None:
        self._schemas: dict[str, Schema] = {}
        # By the name in the document: the schema with all that it refers to, as text.
        self._identities: dict[str, str] = {}

    def adopt(self, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
        """Take in what a schema refers to, and return it with references to where that is now.

        definitions: the schemas by the names that the references have.
        """
        names = {name: self._place(name, definitions) for name in sorted(_reachable(schema, definitions))}
        for name, place in names.items():
            self._schemas.setdefault(place, _renamed(definitions[name], names))
        adopted: Schema = _renamed(schema, names)
        return adopted

    def _place(self, name: str, definitions: Mapping[str, Schema]) -> str:
        everything = {found: definitions[found] for found in _reachable(definitions[name], definitions) | {name}}
        identity = json.dumps(everything, sort_keys=True, default=str)
        place = clean = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)
        number = 1
        while self._identities.setdefault(place, identity) != identity:
            number += 1
            place = f"{clean}{number}"
        return place

    def build(self) -> dict[str, Schema]:
        return dict(sorted(self._schemas.items()))


def find_references(schema: Any) -> set[str]:
    """The names of the schemas that one refers to."""
    if isinstance(schema, Mapping):
        target = schema.get("$ref")
        mine = {target.removeprefix(PREFIX)} if isinstance(target, str) and target.startswith(PREFIX) else set()
        return mine.union(*(find_references(value) for value in schema.values()))
    if isinstance(schema, (list, tuple)):
        return set().union(*(find_references(value) for value in schema))
    return set()


def _reachable(schema: Any, definitions: Mapping[str, Schema]) -> set[str]:
    """The names of all that a schema needs. Raises: KeyError for one that is not there."""
    found: set[str] = set()
    left = find_references(schema)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left |= find_references(definitions[name])
    return found


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: PREFIX + names[value.removeprefix(PREFIX)]
            if key == "$ref" and isinstance(value, str) and value.startswith(PREFIX)
            else _renamed(value, names)
            for key, value in schema.items()
        }
    if isinstance(schema, (list, tuple)):
        return [_renamed(value, names) for value in schema]
    return schema
