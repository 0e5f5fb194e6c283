"""What those pages import from ``tickets.views``."""

from __future__ import annotations

from tests.rest.project import TicketViewSet as TicketViewSet
