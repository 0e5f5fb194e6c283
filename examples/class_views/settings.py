"""Settings of the class-view example: an ordinary project with GripMiddleware in front and one proxy."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "example-only-make-your-own-0123456789-abcdefghij"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = ["django_grip", "ticking"]

MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]

# The key is what pushpin.conf has as sig_key: it proves that a request came through the proxy.
GRIP_PROXIES = [
    {
        "control_uri": os.environ.get("PUSHPIN_CONTROL_URI", "http://127.0.0.1:5561"),
        "key": os.environ.get("PUSHPIN_KEY", "changeme"),
    }
]

# The document, the log and who is in which room, shared by all processes of the example.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ.get("EXAMPLE_CACHE", BASE_DIR / "cache"),
    }
}

ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
USE_TZ = True
