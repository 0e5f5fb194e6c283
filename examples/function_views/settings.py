"""Settings of the function-view example: an ordinary project with GripMiddleware in front."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "example-only-make-your-own-0123456789-abcdefghij"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = ["django_grip"]

MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]

# Without a proxy, `runserver` is one. The key is what pushpin.conf has as sig_key: it proves that a request came
# through the proxy.
if "PUSHPIN_CONTROL_URI" in os.environ:
    GRIP_PROXIES = [{"control_uri": os.environ["PUSHPIN_CONTROL_URI"], "key": os.environ["PUSHPIN_KEY"]}]

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
