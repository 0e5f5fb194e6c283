"""What the WebSocket of a route offers: the route's own actions, and those of the viewset's other routes in its place.

Found from a request when a client asks, and from the URLconf for a document.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .routes import Route, group_by_action

__all__ = ["Offer", "find_offers"]


@dataclass(frozen=True)
class Offer:
    """One action. methods: those that are mapped to it. route: where it is run. needs_pk: of which object is asked."""

    name: str
    methods: tuple[str, ...]
    route: Route
    needs_pk: bool


def find_offers(own: Route, others: Iterable[Route], *, lookup: str) -> dict[str, Offer]:
    """What the WebSocket of a route offers, by name: the route's own first, and of two with a name the first.

    others: of the same viewset in the same place. lookup: what the URLs of one object call its key.
    """
    offers = {name: Offer(name, methods, own, needs_pk=False) for name, methods in group_by_action(own.actions).items()}
    for route in others:
        if route.name == own.name or (own.detail and not route.detail):
            continue
        needs_pk = route.detail and not own.detail
        if route.parameters <= {*own.parameters, *([lookup] if needs_pk else [])}:
            # Others need more than the WebSocket's URL and a pk can say.
            for name, methods in group_by_action(route.actions).items():
                offers.setdefault(name, Offer(name, methods, route, needs_pk))
    return offers
