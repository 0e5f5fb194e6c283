"""No URLs by default: each test names its own URLconf."""

from __future__ import annotations

from typing import Any

urlpatterns: list[Any] = []
