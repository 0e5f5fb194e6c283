"""What a stream's `on_open` returns, made ready for Django: lists, iterators and async iterators on either stack."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

__all__ = ["make_chunks", "put_before"]

_END = object()


def make_chunks(content: Any, encode: Callable[[Any], str | bytes], *, is_async: bool) -> Any:
    """Encode each piece of the content, as an iterator of the kind that the stack streams by itself.

    Raises: TypeError for what cannot be iterated.
    """
    if isinstance(content, (list, tuple)):
        # Encoded at once, so that an error is still an error page.
        encoded = [encode(piece) for piece in content]
        return _as_async(encoded) if is_async else encoded
    if isinstance(content, AsyncIterable):
        return _map_async(content, encode) if is_async else map(encode, _as_sync(content))
    if not isinstance(content, Iterable):
        raise TypeError(
            f"on_open returns str, bytes, an iterator of these or a response, not {type(content).__name__}."
        )
    return _map_async(_in_thread(content), encode) if is_async else map(encode, content)


def put_before(piece: Any, content: Any) -> Any:
    """Put one piece before a content of any kind."""
    if content is None:
        return [piece]
    if isinstance(content, AsyncIterable):
        return _chain_async(piece, content)
    if isinstance(content, (list, tuple)):
        return [piece, *content]
    if isinstance(content, Iterable) and not isinstance(content, (str, bytes, dict)):
        return chain([piece], content)
    return [piece, content]


async def _chain_async(piece: Any, content: AsyncIterable[Any]) -> AsyncIterator[Any]:
    yield piece
    async for other in content:
        yield other


async def _as_async(pieces: list[str | bytes]) -> AsyncIterator[str | bytes]:
    for piece in pieces:
        yield piece


async def _map_async(content: AsyncIterable[Any], encode: Callable[[Any], str | bytes]) -> AsyncIterator[str | bytes]:
    async for piece in content:
        yield encode(piece)


async def _in_thread(content: Iterable[Any]) -> AsyncIterator[Any]:
    """Iterate in a thread: a sync iterator may use the database."""
    iterator = iter(content)
    step = sync_to_async(lambda: next(iterator, _END))
    while (piece := await step()) is not _END:
        yield piece


def _as_sync(content: AsyncIterable[Any]) -> Iterator[Any]:
    """Collect an async iterator; a sync stack has no event loop that could go on with it."""

    async def collect() -> list[Any]:
        return [piece async for piece in content]

    return iter(async_to_sync(collect)())
