"""What a message's code raises and nobody has an answer for: told as Django tells of what views raise."""

from __future__ import annotations

import logging
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest

from ..refusals import show_path

__all__ = ["report_fault"]

# Where Django itself tells of what a view raised, and mails the ADMINS.
logger = logging.getLogger("django.request")


def report_fault(error: Exception, request: HttpRequest, *, sender: Any, what: str = "") -> None:
    """Log an error with its traceback, and let error trackers and test clients know.

    what: what of the request failed, where its path does not say it.
    """
    extra = {"status_code": 500, "request": request}
    where = f"{show_path(request)} ({what})" if what else show_path(request)
    logger.error("Internal Server Error: %s", where, exc_info=error, extra=extra)
    try:
        raise error
    except Exception:  # noqa: BLE001 - receivers ask which one is being handled
        got_request_exception.send(sender=sender, request=request)
