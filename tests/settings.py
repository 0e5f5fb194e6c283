"""The settings the tests start from; a test that needs others overrides them."""

from __future__ import annotations

from importlib.util import find_spec

SECRET_KEY = "tests-only-secret-key-of-sufficient-length-0123456789"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
USE_TZ = True
# The usual one takes a second for each user a test makes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_grip",
]
MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

# The package runs without it, and so do its other tests.
if find_spec("rest_framework"):
    INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", "tests.rest"]
if find_spec("drf_spectacular"):
    INSTALLED_APPS += ["drf_spectacular"]
