"""How a ticket looks in a URL, so that logs can leave it out. What it says is `rest.auth.tickets`' affair."""

from __future__ import annotations

import re

__all__ = ["TICKET_MARK", "hide_tickets"]

TICKET_MARK = "grip-ticket."
"""What a ticket begins with, whatever the query parameter is called."""

_ticket = re.compile(re.escape(TICKET_MARK).encode() + rb"[^&#\s]*")


def hide_tickets(query: bytes) -> bytes:
    """A query, or a whole URL, for a log: with a mark, and nothing behind it, in place of each ticket."""
    if TICKET_MARK.encode() not in query:
        return query
    return _ticket.sub(TICKET_MARK.encode() + b"...", query)
