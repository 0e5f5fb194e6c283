"""Settings of the rig's project. What differs from test to test comes from the environment, as JSON."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from .on_the_loop import put_on_the_loop

DIRECTORY = Path(os.environ.get("GRIP_E2E_DIRECTORY", tempfile.gettempdir()))

SECRET_KEY = "rig-only-secret-key-of-sufficient-length-0123456789"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
ROOT_URLCONF = "tests.e2e.project.urls"
WSGI_APPLICATION = "tests.e2e.project.wsgi.application"
ASGI_APPLICATION = "tests.e2e.project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DIRECTORY / "db.sqlite3",
        # Several processes write: each waits for its turn before it has read anything.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
ATOMIC_REQUESTS = False
# One for all processes: throttles count in it.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": DIRECTORY / "cache"}
}
# Without a database unless a test asks for one.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_grip",
]
MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

globals().update(json.loads(os.environ.get("GRIP_E2E_SETTINGS", "{}")))
DATABASES["default"]["ATOMIC_REQUESTS"] = ATOMIC_REQUESTS
if os.environ.get("GRIP_E2E_MIDDLEWARE") == "async":
    MIDDLEWARE = put_on_the_loop(MIDDLEWARE)
