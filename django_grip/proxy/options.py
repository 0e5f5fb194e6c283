"""What an embedded proxy may be told: its key and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.keys import Key

__all__ = ["FEATURES", "ProxyOptions"]

FEATURES = (
    "status",
    "link:next",
    "link:gone",
    "filter:skip-self",
    "filter:skip-users",
    "filter:require-sub",
)
"""What ``Grip-Feature`` says, in the words of Pushpin 1.41. What is left out here is not said."""


@dataclass(frozen=True)
class ProxyOptions:
    """Times are in seconds, sizes in bytes. The defaults are Pushpin's where it has such a limit (GRIP.md, 2 to 6).

    key, issuer: what requests to the application are signed with and the ``iss`` it says; no key, no signature.
    answer_timeout: how long the application may take for a request the proxy waits for (events of a WebSocket, replays,
    links); a client's own request may take as long as the client waits.
    max_client_message: a WebSocket message over it closes with 1009. max_client_queue: of what a client sent and the
    application has not been asked about yet; beyond it nothing more is read from the client.
    max_events_response: of the application's answers to events, to links, and of one that begins a stream.
    max_held_body: of a long-poll's answer, and of its request, which is kept to be made again.
    max_outbox, max_outbox_items: what may wait for a client that does not read; beyond it the client is closed.
    max_channels: of one connection. min_keep_alive_interval, min_longpoll_timeout: less is taken as this.
    default_longpoll_timeout, default_keep_alive_timeout, default_next_timeout: for who says none.
    remember_ids: how long a published id is remembered. hold_back: how long an item waits for the one before it.
    max_publish_body: of a publish over the control path.
    """

    key: Key | None = None
    issuer: str | None = None
    answer_timeout: float = 120.0
    max_client_message: int = 200_000
    max_client_queue: int = 200_000
    max_events_response: int = 1_000_000
    max_held_body: int = 100_000
    max_outbox: int = 1_000_000
    max_outbox_items: int = 10_000
    max_channels: int = 20
    min_keep_alive_interval: float = 20.0
    min_longpoll_timeout: float = 5.0
    default_longpoll_timeout: float = 55.0
    default_keep_alive_timeout: float = 55.0
    default_next_timeout: float = 120.0
    remember_ids: float = 60.0
    hold_back: float = 5.0
    max_publish_body: int = 1_000_000
