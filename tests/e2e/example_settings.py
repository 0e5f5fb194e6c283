"""Settings of an example (``settings`` on the path), with the rig's proxy in place of the one it names."""

from __future__ import annotations

import json
import os
from pathlib import Path

from settings import *  # noqa: F403 - the example's own

globals().update(json.loads(os.environ["GRIP_E2E_SETTINGS"]))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": Path(os.environ["GRIP_E2E_DIRECTORY"]) / "cache",
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
