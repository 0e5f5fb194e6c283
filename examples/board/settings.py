"""Settings of the board: an ordinary project, with GripMiddleware in front."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "example-only-make-your-own-0123456789-abcdefghij"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = ["django_grip", "django.contrib.staticfiles", "board"]

MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# Without a proxy, `runserver` is one. `make demo-pushpin` names Pushpin here, and nothing else changes.
if "PUSHPIN_CONTROL_URI" in os.environ:
    GRIP_PROXIES = [{"control_uri": os.environ["PUSHPIN_CONTROL_URI"], "key": os.environ["PUSHPIN_KEY"]}]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("BOARD_DATABASE", BASE_DIR / "db.sqlite3"),
        # Many short requests at once: readers and the one writer do not wait for each other.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
ASGI_APPLICATION = "asgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"

# Seconds between two words of the assistant, as a language model would need them.
ASSISTANT_PAUSE = 0.06
