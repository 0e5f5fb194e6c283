"""What those pages import from ``tickets.models``."""

from __future__ import annotations

from typing import Any

from tests.rest.models import Project
from tests.rest.models import Ticket as Ticket


def projects_of(user: Any) -> Any:
    """The projects that a user may see."""
    return Project.objects.filter(tickets__owner=user).distinct()
