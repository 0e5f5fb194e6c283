"""Publishing for a Django project: to the proxies of its settings, with its prefix, in its transactions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pubcontrol
from django.db import transaction

from .conf import GripSettings, grip_settings
from .embedded_transport import open_default_transport
from .event import Event
from .exceptions import NoProxy, PublishError
from .protocol.channels import check_channel_name
from .protocol.items import Item
from .publishing import Counters, Parcel, Policy, Publication, Publisher, Transport, open_transport
from .publishing.lifecycle import on_fork

__all__ = [
    "Publication",
    "PublishError",
    "apublish",
    "counters",
    "flush",
    "forget_publisher",
    "get_publisher",
    "publish",
    "publish_by",
    "publish_to",
]

Callback = Callable[[bool, "str | None"], object]
Formats = pubcontrol.Format | Sequence[pubcontrol.Format] | pubcontrol.Item | Event

# How long a publisher whose settings were overridden may go on sending. Seconds.
_RETIREMENT = 1.0


class _Current(NamedTuple):
    """The publisher in use, and the settings it was made for; None for one that was handed in."""

    settings: GripSettings | None
    publisher: Publisher


class _State:
    lock = threading.Lock()
    current: _Current | None = None

    @classmethod
    def renew_lock(cls) -> None:
        # A thread of the parent process may have held it.
        cls.lock = threading.Lock()


on_fork(_State.renew_lock)


def publish(
    channel: str,
    formats: Formats,
    id: str | int | None = None,
    prev_id: str | int | None = None,
    blocking: bool = False,
    callback: Callback | None = None,
    meta: Mapping[str, str] | None = None,
    on_commit: bool | str = False,
) -> Publication:
    """Publish an item to a channel, on every proxy.

    channel: without the prefix. formats: a format, a list of formats, an `Item` or an `Event`.
    id, prev_id: for reliable streams: this item's id, and that of the item before it. What has none gets an id of its
    own, by which the proxy drops what a retry repeats. meta: facts for filters, such as ``sender``.
    blocking: wait until every proxy has answered, and raise if one fails. Otherwise failures are logged and counted,
    and what is returned tells of them.
    callback: called once as ``callback(success, message)``, on a thread for callbacks.
    on_commit: publish when the transaction commits, and not at all when it is rolled back. Instead of True it may be
    the alias of a database.

    Raises: ChannelNameError, ItemError, at once and whatever the proxies do. NoProxy, when none is configured.
    PublishError, only when blocking, naming each proxy that failed.
    """
    publisher = get_publisher()
    parcel = _pack(publisher, channel, formats, id, prev_id, meta)
    if on_commit:
        if blocking:
            raise TypeError(
                "publish(): blocking=True cannot wait for what on_commit=True sends later; drop one of them."
            )
        using = None if on_commit is True else on_commit
        transaction.on_commit(lambda: _submit(publisher, parcel, callback), using=using)
        return parcel.publication
    if not blocking:
        return publisher.submit(parcel, callback=callback)
    publication = publisher.submit_and_wait(parcel, callback=callback)
    publication.result()
    return publication


async def apublish(
    channel: str,
    formats: Formats,
    id: str | int | None = None,
    prev_id: str | int | None = None,
    *,
    callback: Callback | None = None,
    meta: Mapping[str, str] | None = None,
) -> Publication:
    """Publish an item to a channel, on every proxy, and await their answers. No thread is used up by waiting.

    The arguments are those of `publish`. When the task is cancelled it stops waiting; the item goes out all the same.

    Raises: ChannelNameError, ItemError, NoProxy. PublishError, naming each proxy that failed.
    """
    publisher = get_publisher()
    parcel = _pack(publisher, channel, formats, id, prev_id, meta)
    if publisher.background or all(_is_instant(lane.transport) for lane in publisher.lanes):
        publication = publisher.submit(parcel, callback=callback, forced=True)
    else:
        publication = await asyncio.to_thread(publisher.submit_and_wait, parcel, callback=callback)
    await publication
    return publication


def flush(timeout: float | None = None) -> bool:
    """Wait until what was published so far is sent or given up. At exit this happens by itself, for five seconds.

    timeout: seconds; None waits as long as items are tried. False when time ran out.
    """
    current = _State.current
    return current is None or current.publisher.flush(timeout)


def counters() -> dict[str, Counters]:
    """What this process has published so far, in numbers, by the proxies' URLs."""
    current = _State.current
    return {} if current is None else current.publisher.counters()


def get_publisher() -> Publisher:
    """The publisher for the project's settings, made when it is first needed.

    Raises: NoProxy, when the settings name no proxy to publish to.
    """
    current = _State.current
    # Compared by identity: the settings are read anew after `override_settings`.
    if current is not None and (current.settings is None or current.settings is grip_settings()):
        return current.publisher
    return _replace_publisher(grip_settings())


def forget_publisher() -> None:
    """Have the publisher for the settings made anew when it is next needed. What the old one has, it still sends."""
    with _State.lock:
        if _State.current is not None and _State.current.settings is not None:
            _State.current = None


@contextmanager
def publish_to(*transports: Transport, background: bool = False, policy: Policy | None = None) -> Iterator[Publisher]:
    """Publish to these transports, whatever the settings say, until the block ends. For tests.

    background: False sends within the call of `publish`, so that a test can look at once.
    """
    publisher = Publisher(transports, policy=policy, background=background)
    try:
        with publish_by(publisher):
            yield publisher
    finally:
        publisher.close(_RETIREMENT)


@contextmanager
def publish_by(publisher: Publisher) -> Iterator[None]:
    """Publish by a publisher of one's own, whatever the settings say, until the block ends. For tests."""
    mine = _Current(None, publisher)
    with _State.lock:
        before, _State.current = _State.current, mine
    try:
        yield
    finally:
        with _State.lock:
            # Blocks need not end in the order they began: a test's own may end before, or behind, that of its client.
            if _State.current is mine:
                _State.current = None if before is None or before.publisher.closed else before


def _replace_publisher(settings: GripSettings) -> Publisher:
    with _State.lock:
        old = _State.current
        if old is not None and old.settings is settings:
            return old.publisher
        publisher = _make_publisher(settings)
        _State.current = _Current(settings, publisher)
    if old is not None:
        old.publisher.close(_RETIREMENT)
    return publisher


def _make_publisher(settings: GripSettings) -> Publisher:
    policy = Policy(timeout=settings.publish_timeout, queue_items=settings.publish_queue_size)
    # A server named twice alike is one server.
    servers = dict.fromkeys((*settings.proxies, *settings.publish_servers))
    transports = [transport for config in servers if (transport := open_transport(config, policy)) is not None]
    if not settings.proxies and (settings.embedded or not transports):
        default = open_default_transport()
        transports += [default] if default is not None else []
    # What is handed over within this process needs no thread to wait for it.
    background = settings.publish_mode == "background" and not all(map(_is_instant, transports))
    return Publisher(transports, policy=policy, background=background)


def _is_instant(transport: Transport) -> bool:
    return bool(getattr(transport, "is_instant", False))


def _pack(
    publisher: Publisher,
    channel: str,
    formats: Any,
    id: str | int | None,
    prev_id: str | int | None,
    meta: Mapping[str, str] | None,
) -> Parcel:
    if not publisher.lanes and not publisher.closed:
        raise NoProxy("There is no proxy to publish to: set GRIP_URL or GRIP_PROXIES (or PUBLISH_SERVERS).")
    item = _to_item(formats, id, prev_id, meta)
    return publisher.pack(check_channel_name(channel, prefix=grip_settings().prefix), item)


def _to_item(formats: Any, id: str | int | None, prev_id: str | int | None, meta: Any) -> pubcontrol.Item:
    if isinstance(formats, pubcontrol.Item):
        if id is not None or prev_id is not None or meta is not None:
            raise TypeError("publish(): an Item has its own id, prev_id and meta; set them on the Item.")
        return formats
    if isinstance(formats, Event):
        formats = formats.to_formats()
    return Item(formats, id=id, prev_id=prev_id, meta=meta)


def _submit(publisher: Publisher, parcel: Parcel, callback: Callback | None) -> None:
    publisher.submit(parcel, callback=callback)
