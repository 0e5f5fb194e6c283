"""What those pages import from ``tickets.serializers``."""

from __future__ import annotations

from tests.rest.project import TicketSerializer as TicketSerializer


class PublicTicketSerializer(TicketSerializer):
    """Less of it."""

    class Meta(TicketSerializer.Meta):
        fields = ["id", "title"]
