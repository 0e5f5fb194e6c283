"""Settings of an example (``settings`` on the path), with the rig's engine and its data in the rig's directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

from settings import *  # noqa: F403 - the example's own

from tests.e2e.project.on_the_loop import put_on_the_loop

globals().update(json.loads(os.environ["GRIP_E2E_SETTINGS"]))
if os.environ.get("GRIP_E2E_MIDDLEWARE") == "async":
    MIDDLEWARE = put_on_the_loop(MIDDLEWARE)  # noqa: F405
    # The admin looks for its middleware by name.
    SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]
for _database in globals().get("DATABASES", {}).values():
    if _database["ENGINE"].endswith(".sqlite3"):
        _database["NAME"] = Path(os.environ["GRIP_E2E_DIRECTORY"]) / "db.sqlite3"
# The usual one takes a good part of a second each time that a password comes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
