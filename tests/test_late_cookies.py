"""Cookies of answers that come late: those of a newer session stay."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from django_grip import set_hold_longpoll, set_hold_stream

from .fake_proxy import PROXIES, proxied

pytest_plugins = ["tests.fixtures"]


def view(request: HttpRequest, hold: str) -> HttpResponse:
    response = HttpResponse("now\n")
    if hold == "longpoll":
        set_hold_longpoll(response, "test")
    elif hold == "stream":
        set_hold_stream(response, "test")
    response.set_cookie("sessionid", "of this request")
    response.delete_cookie("csrftoken")
    response.set_cookie("theme", "dark")
    return response


urlpatterns = [path("<hold>/", view)]


@pytest.fixture
def ask(settings: Any) -> Any:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    settings.GRIP_PROXIES = PROXIES

    def get(hold: str, *, known: bool = True, **headers: str) -> set[str]:
        """The cookies that an answer sets or deletes."""
        client = Client()
        if known:
            client.cookies.load({"sessionid": "old", "csrftoken": "old"})
        response = client.get(f"/{hold}/", headers=proxied(**headers))
        assert response.content == b"now\n"
        return set(response.cookies)

    return get


ALL, OTHERS = {"sessionid", "csrftoken", "theme"}, {"theme"}
AGAIN = {"grip_last": "test; last-id=1"}


@pytest.mark.parametrize("hold", ["none", "longpoll", "stream"])
def test_a_request_made_again_changes_no_session(ask: Any, hold: str) -> None:
    assert ask(hold, **AGAIN) == OTHERS
    assert ask(hold, known=False, **AGAIN) == OTHERS


def test_an_answer_that_is_held_until_a_time_out_changes_none_either(ask: Any) -> None:
    assert ask("longpoll") == OTHERS


def test_who_had_no_session_gets_one(ask: Any) -> None:
    assert ask("longpoll", known=False) == ALL


@pytest.mark.parametrize("hold", ["none", "stream"])
def test_answers_that_come_at_once_are_as_always(ask: Any, hold: str) -> None:
    assert ask(hold) == ask(hold, known=False) == ALL


def test_the_settings_name_the_cookies(ask: Any, settings: Any) -> None:
    settings.SESSION_COOKIE_NAME = settings.CSRF_COOKIE_NAME = "theme"
    assert ask("none", **AGAIN) == ALL - {"theme"}
