"""Settings of the help desk: an ordinary project with Django REST framework, and GripMiddleware in front."""

from __future__ import annotations

import os
from pathlib import Path

from database import read_database

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "example-only-make-your-own-0123456789-abcdefghij"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django_grip",
    "tickets",
    "rest_framework",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# Without a proxy, `runserver` is one. `make demo-rest-pushpin` names Pushpin here, and nothing else changes.
if "PUSHPIN_CONTROL_URI" in os.environ:
    GRIP_PROXIES = [{"control_uri": os.environ["PUSHPIN_CONTROL_URI"], "key": os.environ["PUSHPIN_KEY"]}]

# SQLite, or PostgreSQL by this one setting: TICKETS_DATABASE=postgresql://user:password@127.0.0.1:5432/tickets
DATABASES = {"default": read_database(os.environ.get("TICKETS_DATABASE", str(BASE_DIR / "db.sqlite3")))}

# Authentication is the framework's default: sessions, and HTTP Basic for terminals.
REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"]}

LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"

ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
ASGI_APPLICATION = "asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
