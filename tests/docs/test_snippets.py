"""Every Python snippet in the README and in docs/ does what it is printed for."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.test import override_settings
from django.utils.module_loading import import_string

from django_grip import checks
from tests.fake_proxy import PROXIES

from .conftest import Recorder
from .pages import PAGES, Snippet, read, run_page, run_snippet, snippets

HAVE_PYTHON = [page for page in PAGES if snippets(page)]
SECRET = "docs-only-key-0123456789-abcdefghijklmnop"


def named(snippet: Snippet) -> str:
    return f"{snippet.page}:{snippet.line}"


# Django REST framework is an extra.
NEED_REST = {page: pytest.mark.needs("rest") for page in HAVE_PYTHON if "rest_framework" in read(page)}


@pytest.mark.parametrize("page", [pytest.param(page, marks=NEED_REST.get(page, ())) for page in HAVE_PYTHON])
@pytest.mark.django_db(transaction=True)
def test_a_page_runs_from_top_to_bottom(page: str, recorder: Recorder) -> None:
    module = run_page(page)
    assert isinstance(module, ModuleType)


PARTS = [snippet for page in PAGES for snippet in snippets(page) if snippet.how == "compile"]


@pytest.mark.parametrize("snippet", PARTS, ids=named)
def test_a_part_compiles(snippet: Snippet) -> None:
    snippet.compile()


def settings_of(page: str) -> list[tuple[Snippet, dict[str, Any]]]:
    """The settings of each snippet on a page; names from one, such as ``os``, are known in the next."""
    namespace: dict[str, Any] = {}
    found = []
    for snippet in snippets(page):
        if snippet.how == "settings":
            before = dict(namespace)
            run_snippet(snippet, namespace)
            found.append((snippet, {k: v for k, v in namespace.items() if k.isupper() and before.get(k) is not v}))
    return found


HAVE_SETTINGS = [page for page in PAGES if any(snippet.how == "settings" for snippet in snippets(page))]
# Fastly signs with a public key.
MARKS = {"deployment.md": pytest.mark.needs("crypto")}


@pytest.mark.parametrize("page", [pytest.param(page, marks=MARKS.get(page, ())) for page in HAVE_SETTINGS])
def test_settings_are_such_as_the_checks_want(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUSHPIN_KEY", "PUSHPIN_OLD_KEY", "REALM_KEY", "FASTLY_API_TOKEN", "FASTLY_SERVICE_ID"):
        monkeypatch.setenv(name, SECRET.replace("-", "") if name == "FASTLY_SERVICE_ID" else SECRET)
    for snippet, settings in settings_of(page):
        if not {"GRIP_PROXIES", "GRIP_URL"} & set(settings):
            settings["GRIP_PROXIES"] = PROXIES
        for middleware in settings.get("MIDDLEWARE", ()):
            import_string(middleware)
        with override_settings(DEBUG=False, **settings):
            given = [*checks.check_settings(), *checks.check_keys(), *checks.check_middleware()]
        assert {message.id for message in given} == snippet.ids, (named(snippet), given)


def test_no_snippet_is_of_an_unknown_kind() -> None:
    every = [snippet for page in PAGES for snippet in snippets(page)]
    assert {snippet.how for snippet in every} <= {"run", "compile", "settings"}
    assert len(every) > 50


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_says_its_language(page: str) -> None:
    assert snippets(page, "") == []
