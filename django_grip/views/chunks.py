"""What a stream's `on_open` returns, made ready for Django: lists, iterators and async iterators on either stack."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.functional import Promise

from .flow import Course, blocking

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

__all__ = ["is_iterated", "put_before", "respond_with"]

Piece = str | bytes
Encode = Callable[[Any], Piece]

_END: Any = object()


def is_iterated(content: Any) -> bool:
    """Whether a content is several pieces, rather than one."""
    return isinstance(content, (Iterable, AsyncIterable)) and not isinstance(content, (str, bytes, Promise, Mapping))


def put_before(piece: Any, content: Any) -> Any:
    """Put one piece before a content of any kind."""
    if content is None:
        return [piece]
    if not is_iterated(content):
        return [piece, content]
    if isinstance(content, Iterable):
        return [piece, *content] if isinstance(content, (list, tuple)) else chain([piece], content)
    return _chain_async(piece, content)


def respond_with(request: HttpRequest, content: Any, encode: Encode, content_type: str) -> Course[HttpResponseBase]:
    """Make a response of the pieces, with an iterator of the kind that the stack streams by itself.

    The first piece is made here, so that a generator which fails before it is still an error page.
    """
    on_asgi = isinstance(request, ASGIRequest)
    if isinstance(content, AsyncIterable) and (on_asgi or not isinstance(content, Iterable)):
        if not on_asgi:
            # A sync stack has no event loop that could go on with it later.
            content = yield _collect, (content,)
            return HttpResponse(map(encode, content), content_type=content_type)
        rest, first = yield _start_async, (content,)
    elif isinstance(content, (list, tuple)):
        return HttpResponse(map(encode, content), content_type=content_type)
    else:
        iterator, first = yield _start, (content,)
        rest = _iterate_in_thread(iterator) if on_asgi else iterator
    if first is _END:
        return HttpResponse(content_type=content_type)
    pieces = _go_on_async(encode(first), rest, encode) if on_asgi else _go_on(encode(first), rest, encode)
    return StreamingHttpResponse(pieces, content_type=content_type)


@blocking
def _start(content: Iterable[Any]) -> tuple[Iterator[Any], Any]:
    iterator = iter(content)
    return iterator, next(iterator, _END)


async def _start_async(content: AsyncIterable[Any]) -> tuple[AsyncIterator[Any], Any]:
    iterator = aiter(content)
    return iterator, await anext(iterator, _END)


async def _collect(content: AsyncIterable[Any]) -> list[Any]:
    return [piece async for piece in content]


def _go_on(first: Piece, rest: Iterator[Any], encode: Encode) -> Iterator[Piece]:
    yield first
    yield from map(encode, rest)


async def _go_on_async(first: Piece, rest: AsyncIterator[Any], encode: Encode) -> AsyncIterator[Piece]:
    yield first
    async for piece in rest:
        yield encode(piece)


async def _iterate_in_thread(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    """Iterate in a thread: a sync iterator may use the database."""
    step = sync_to_async(lambda: next(iterator, _END))
    while (piece := await step()) is not _END:
        yield piece


async def _chain_async(piece: Any, content: AsyncIterable[Any]) -> AsyncIterator[Any]:
    yield piece
    async for other in content:
        yield other
