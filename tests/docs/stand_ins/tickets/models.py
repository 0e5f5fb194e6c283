"""What those pages import from ``tickets.models``."""

from __future__ import annotations

from tests.rest.models import Ticket as Ticket
