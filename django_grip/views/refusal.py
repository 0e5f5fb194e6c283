"""A request that a view refuses in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import ProtocolError
from ..refusals import refuse

if TYPE_CHECKING:
    from django.http import HttpResponse

__all__ = ["Refusal"]


class Refusal(ProtocolError):
    """What a client sent is not for this view; it is answered with `status` and the text, as one sentence."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.status = status

    def make_response(self) -> HttpResponse:
        return refuse(self.status, str(self))
