"""JSON Patch (RFC 6902), by which an item changes the body of a held response instead of replacing it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["PatchError", "apply_patch", "patch_body"]

MAX_COPIED = 10_000_000
"""Bytes, roughly, that the operations of one patch may copy: a few that each copy the whole would fill the memory."""

_VALUE_SIZE = 200

_index = re.compile(r"0|[1-9][0-9]{0,8}")
_bad_escape = re.compile(r"~(?![01])")


class PatchError(ValueError):
    """A patch that is none, or does not fit the document."""


def patch_body(body: bytes, operations: Iterable[Mapping[str, Any]]) -> bytes:
    """Apply a patch to a JSON text; a line end behind it stays. Raises: PatchError."""
    try:
        document = json.loads(body)
        text = json.dumps(apply_patch(document, operations), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        patched = text.encode()
    except PatchError:
        raise
    except (ValueError, RecursionError):
        raise PatchError("the body is not JSON") from None
    end = b"\r\n" if body.endswith(b"\r\n") else b"\n" if body.endswith(b"\n") else b""
    return patched + end


def apply_patch(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """Apply a patch to a document, which is changed, and return the outcome. Raises: PatchError."""
    patcher = _Patcher(document)
    for number, operation in enumerate(operations, 1):
        try:
            patcher.apply(operation)
        except PatchError as error:
            raise PatchError(f"operation {number}: {error}") from None
        except RecursionError:
            raise PatchError(f"operation {number}: a value in it is nested too deeply") from None
    return patcher.document


class _Patcher:
    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied = 0

    def apply(self, operation: Mapping[str, Any]) -> None:
        if not isinstance(operation, Mapping):
            raise PatchError("it is not an object")
        name, path = operation.get("op"), _parse_pointer(operation, "path")
        if name == "add":
            self._add(path, self._copy(_value_of(operation)))
        elif name == "remove":
            self._remove(path)
        elif name == "replace":
            self._replace(path, self._copy(_value_of(operation)))
        elif name == "move":
            self._move(_parse_pointer(operation, "from"), path)
        elif name == "copy":
            self._add(path, self._copy(self._get(_parse_pointer(operation, "from"))))
        elif name == "test":
            if not _is_same(self._get(path), _value_of(operation)):
                raise PatchError("the test fails")
        else:
            raise PatchError("it has no known 'op'")

    def _get(self, path: list[str]) -> Any:
        value = self.document
        for step in path:
            value = _child(value, step)
        return value

    def _add(self, path: list[str], value: Any) -> None:
        if not path:
            self.document = value
            return
        parent, step = self._get(path[:-1]), path[-1]
        if isinstance(parent, dict):
            parent[step] = value
        elif isinstance(parent, list):
            parent.insert(len(parent) if step == "-" else _parse_index(step, len(parent)), value)
        else:
            raise PatchError("the path goes through a value without members")

    def _remove(self, path: list[str]) -> Any:
        if not path:
            raise PatchError("the whole document cannot be removed")
        parent, step = self._get(path[:-1]), path[-1]
        value = _child(parent, step)
        if isinstance(parent, dict):
            del parent[step]
        else:
            del parent[int(step)]
        return value

    def _replace(self, path: list[str], value: Any) -> None:
        if not path:
            self.document = value
            return
        parent, step = self._get(path[:-1]), path[-1]
        _child(parent, step)
        parent[step if isinstance(parent, dict) else int(step)] = value

    def _move(self, source: list[str], target: list[str]) -> None:
        if source == target:
            self._get(source)
        elif target[: len(source)] == source:
            raise PatchError("a value cannot be moved into itself")
        else:
            self._add(target, self._remove(source))

    def _copy(self, value: Any) -> Any:
        """A value of its own: the same patch may be applied to a thousand documents, and change them further."""
        self._copied += _VALUE_SIZE + (len(value) if isinstance(value, str) else 0)
        if self._copied > MAX_COPIED:
            raise PatchError("the patch copies too much")
        if isinstance(value, dict):
            self._copied += sum(map(len, value))
            return {name: self._copy(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._copy(member) for member in value]
        return value


def _parse_pointer(operation: Mapping[str, Any], name: str) -> list[str]:
    """Split a JSON Pointer (RFC 6901)."""
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")) or _bad_escape.search(pointer):
        raise PatchError(f"{name!r} is not a JSON Pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _value_of(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError("it has no 'value'")
    return operation["value"]


def _child(parent: Any, step: str) -> Any:
    if isinstance(parent, dict):
        if step not in parent:
            raise PatchError("the path leads to nothing")
        return parent[step]
    if isinstance(parent, list):
        return parent[_parse_index(step, len(parent) - 1)]
    raise PatchError("the path goes through a value without members")


def _parse_index(step: str, last: int) -> int:
    if not _index.fullmatch(step) or int(step) > last:
        raise PatchError("the path leads to nothing in an array")
    return int(step)


def _is_same(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal: to Python ``True`` is 1, to JSON it is not."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_is_same(first[name], second[name]) for name in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_is_same, first, second))
    return bool(first == second)
