"""Django REST framework's test client, with the embedded proxy between it and the project."""

from __future__ import annotations

from copy import copy

from rest_framework.test import APIClient

from .application import Application
from .client import GripClient

__all__ = ["APIGripClient"]


class APIGripClient(GripClient, APIClient):
    """`GripClient` that is DRF's ``APIClient`` as well: ``force_authenticate``, ``credentials``, ``format="json"``.

    What it opens is authenticated as its requests are, and stays so, as it would with a token: who is authenticated by
    force later on, or nobody any more, is another connection's.
    """

    def make_application(self, *, secure: bool) -> Application:
        application, handler = super().make_application(secure=secure), self.handler
        if handler._middleware_chain is None:  # type: ignore[attr-defined]
            handler.load_middleware()
        # It has the user in it who is authenticated by force.
        application.handler = copy(handler)
        return application
