"""The core as a whole: the hub, the exchanges that are open, and what every request to the application carries."""

from __future__ import annotations
