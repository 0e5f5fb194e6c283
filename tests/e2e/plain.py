"""A site with none of this package's code in the application, but for the engine: ``project/plain_views.py``."""

from __future__ import annotations

import pytest

PLAIN_SITE = pytest.mark.site(
    settings={
        "INSTALLED_APPS": [],
        "MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware"],
        "ROOT_URLCONF": "tests.e2e.project.plain_views",
    }
)
