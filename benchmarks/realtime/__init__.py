"""The embedded engine in one process, against Channels 4 with channels-redis on two uvicorn workers.

Both run one Django project each (`embedded_project`, `channels_project`) that does the same, on the same uvicorn, and
one client program (`load`, on picows) drives them in turn.
"""

from __future__ import annotations

from .compare import main

__all__ = ["main"]
