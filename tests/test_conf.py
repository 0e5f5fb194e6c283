"""The settings: typed, checked, read once, and again when a test overrides one."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_grip import conf
from django_grip.conf import (
    GripSettings,
    derive_keys,
    derive_secrets,
    find_problems,
    grip_settings,
    project_home,
)

from .fake_proxy import KEY, PROXIES

EVERYTHING = {
    "GRIP_PROXIES": [{"control_uri": "http://127.0.0.1:1", "control_iss": "me", "key": KEY, "verify_iss": "pushpin"}],
    "GRIP_URL": "http://127.0.0.1:5562/?key=base64:aGVsbG8taGVsbG8=&verify-iss=pushpin",
    "PUBLISH_SERVERS": [{"uri": "https://example.com/base", "iss": "me", "key": "secret"}],
    "GRIP_PREFIX": "mine-",
    "GRIP_EMBEDDED": True,
    "GRIP_PROXY_REQUIRED": True,
    "GRIP_ALLOW_UNSIGNED": True,
    "GRIP_ALLOWED_ORIGINS": ["https://www.example.com", "*"],
    "GRIP_MAX_CHANNELS": 50,
    "GRIP_PUBLISH_MODE": "inline",
    "GRIP_PUBLISH_TIMEOUT": 5,
    "GRIP_PUBLISH_QUEUE_SIZE": 100,
}


def test_without_settings_there_is_nothing_but_defaults():
    assert grip_settings() == GripSettings()
    assert (grip_settings().proxies, grip_settings().verify_keys) == ((), ())


def test_every_setting_is_read():
    with override_settings(**EVERYTHING, CSRF_TRUSTED_ORIGINS=["https://*.example.org"], DEBUG=True):
        config = grip_settings()
    first, second = config.proxies
    assert (first.control_uri, first.control_iss, first.verify_key.issuer) == ("http://127.0.0.1:1", "me", "pushpin")
    assert (second.control_uri, second.key.secret) == ("http://127.0.0.1:5562", b"hello-hello")
    assert [server.control_uri for server in config.publish_servers] == ["https://example.com/base"]
    assert (config.prefix, config.proxy_required, config.allow_unsigned, config.debug) == ("mine-", True, True, True)
    assert (config.embedded_wanted, config.embedded) == (True, False)
    assert config.allowed_origins == ("https://www.example.com", "*")
    assert config.csrf_trusted_origins == ("https://*.example.org",)
    assert (config.max_channels, config.publish_mode) == (50, "inline")
    assert (config.publish_timeout, config.publish_queue_size) == (5.0, 100)
    assert set(EVERYTHING) | {"GRIP_VERIFY_KEY"} == conf.KNOWN_SETTINGS


def test_they_are_read_once_and_again_when_one_is_overridden(settings):
    settings.GRIP_PREFIX = "a-"
    before = grip_settings()
    assert grip_settings() is before
    with override_settings(GRIP_PREFIX="b-"):
        assert grip_settings().prefix == "b-"
    assert grip_settings() == before
    with override_settings(DEBUG=True):
        assert grip_settings().debug


def test_keys_derived_from_the_secret_follow_it_too(settings):
    old = derive_keys("links")
    assert (len(old), len(old[0])) == (1, 32)
    assert derive_keys("state") != old
    fallback, settings.SECRET_KEY = settings.SECRET_KEY, "another-" * 8
    settings.SECRET_KEY_FALLBACKS = [fallback]
    assert derive_keys("links")[1:] == old


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"DEBUG": True}, True),
        ({"GRIP_EMBEDDED": True}, True),
        ({"DEBUG": True, "GRIP_EMBEDDED": None}, True),
        ({"DEBUG": True, "GRIP_EMBEDDED": False}, False),
        ({"DEBUG": True, "GRIP_URL": "", "GRIP_PROXIES": []}, True),
        ({"DEBUG": True, "GRIP_PROXIES": PROXIES}, False),
        ({"DEBUG": True, "GRIP_URL": "http://127.0.0.1:1"}, False),
        ({"GRIP_EMBEDDED": True, "GRIP_PROXIES": PROXIES}, False),
        ({"DEBUG": True, "PUBLISH_SERVERS": [{"uri": "https://example.com"}]}, True),
    ],
)
def test_the_embedded_proxy_is_on_when_no_other_is_and_somebody_asks_for_it(settings, values, expected):
    for name, value in values.items():
        setattr(settings, name, value)
    assert grip_settings().embedded is expected


def test_the_embedded_proxy_is_believed_by_keys_of_the_secret_and_its_fallbacks(settings):
    settings.DEBUG = True
    [before] = grip_settings().verify_keys
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-" * 8
    now, fallback = grip_settings().verify_keys
    assert (fallback, now == before, grip_settings().believes_unsigned) == (before, False, False)
    assert [key.key for key in grip_settings().verify_keys] == list(conf.embedded_keys())
    assert len(now.key.secret) >= 32


def test_secrets_depend_on_their_purpose_and_parts_and_any_header_can_carry_them():
    [one] = derive_secrets("control", "a")
    assert derive_secrets("control", "a") == (one,)
    assert len({one, *derive_secrets("control", "b"), *derive_secrets("other", "a"), *derive_secrets("control")}) == 4
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", one)


def test_the_home_of_a_project_is_that_of_its_settings_package(monkeypatch):
    tests = os.path.realpath(os.path.dirname(__file__))
    assert project_home() == tests
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.fixtures")
    assert project_home() == tests
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "ast")
    assert project_home() == os.path.dirname(os.path.realpath(os.__file__))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    assert project_home() == ""


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("django.middleware.http.ConditionalGetMiddleware", "has_conditional_get"),
        ("django.middleware.csrf.CsrfViewMiddleware", "has_csrf"),
    ],
)
def test_what_else_is_installed_is_known(settings, name, field):
    settings.MIDDLEWARE = [name]
    assert getattr(grip_settings(), field)
    settings.MIDDLEWARE = []
    assert not getattr(grip_settings(), field)


def test_what_was_read_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        grip_settings().prefix = "mine-"


@pytest.mark.parametrize(
    "unset",
    [{"GRIP_URL": ""}, {"GRIP_URL": None}, {"GRIP_PROXIES": []}, {"GRIP_PROXIES": None}, {"GRIP_VERIFY_KEY": ""}],
    ids=str,
)
def test_an_empty_setting_is_none(settings, unset):
    settings.GRIP_PREFIX = None
    for name, value in unset.items():
        setattr(settings, name, value)
    assert grip_settings() == GripSettings()
    assert find_problems() == []


def test_an_empty_grip_verify_key_leaves_the_proxys_own(settings):
    settings.GRIP_PROXIES, settings.GRIP_VERIFY_KEY = PROXIES, ""
    [proxy] = grip_settings().proxies
    assert proxy.verify_key.key == proxy.key


def test_keys_that_are_given_twice_are_tried_once(settings):
    settings.GRIP_PROXIES = [*PROXIES, {"control_uri": "http://127.0.0.1:2", "key": KEY}]
    assert len(grip_settings().verify_keys) == 1


def test_one_proxy_may_be_given_without_its_list(settings):
    settings.GRIP_PROXIES = PROXIES[0]
    assert len(grip_settings().proxies) == 1


BAD = {
    "GRIP_PROXIES": {
        "http://127.0.0.1": "must be a list of dicts, not str.",
        5: "must be a list of dicts, not int.",
        ("http://127.0.0.1",): "must be a list of dicts, but has a str.",
    },
    "GRIP_URL": {
        5: "must be a str, not int.",
        "ftp://127.0.0.1": "cannot be used: the control URI must begin with http:// or https://, not 'ftp:'.",
        "http://127.0.0.1?key=": "cannot be used: key: the key is empty.",
    },
    "PUBLISH_SERVERS": {"http://127.0.0.1": "must be a list of dicts, not str."},
    "GRIP_PREFIX": {
        5: "must be a str, not int.",
        "a,": "cannot be used: channel name 'a,x' has ',' at position 1: GRIP's headers cannot carry it.",
        " ": "cannot be used: channel name ' x' has a blank at position 0: GRIP's headers lose it at either end.",
    },
    "GRIP_EMBEDDED": {"true": "must be True or False, not 'true'.", 1: "must be True or False, not 1."},
    "GRIP_PROXY_REQUIRED": {"false": "must be True or False, not 'false'.", 1: "must be True or False, not 1."},
    "GRIP_ALLOW_UNSIGNED": {"true": "must be True or False, not 'true'."},
    "GRIP_ALLOWED_ORIGINS": {
        "https://www.example.com": "must be a list of origins, not 'https://www.example.com'.",
        ("www.example.com",): (
            "has 'www.example.com', which is not an origin (scheme, host, and port if it is not the usual one)."
        ),
        ("https://bücher.example",): "has 'https://bücher.example', which browsers send in ASCII.",
        (5,): "has 5, which is not a str.",
    },
    "GRIP_MAX_CHANNELS": {
        0: "must be an int above 0, not 0.",
        True: "must be an int above 0, not True.",
        "20": "must be an int above 0, not '20'.",
    },
    "GRIP_PUBLISH_MODE": {"thread": 'must be "background" or "inline", not \'thread\'.'},
    "GRIP_PUBLISH_TIMEOUT": {
        0: "must be a number of seconds above 0, not 0.",
        -1: "must be a number of seconds above 0, not -1.",
        float("nan"): "must be a number of seconds above 0, not nan.",
        "5": "must be a number of seconds above 0, not '5'.",
    },
    "GRIP_PUBLISH_QUEUE_SIZE": {0: "must be an int above 0, not 0.", 1.5: "must be an int above 0, not 1.5."},
}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [(name, value, problem) for name, values in BAD.items() for value, problem in values.items()],
)
def test_a_value_that_cannot_be_used_is_told_with_its_name_and_what_to_write(settings, name, value, problem):
    setattr(settings, name, value)
    [found] = find_problems()
    assert (found.setting, found.text) == (name, problem)
    assert found.hint.startswith("Write ")
    with pytest.raises(ImproperlyConfigured) as raised:
        grip_settings()
    assert str(raised.value) == f"{name} {problem} {found.hint}"


@pytest.mark.parametrize(
    "value", [[{}], [{"control_uri": "nowhere", "key": "hush-hush"}], [{"control_uri": 5, "key": "hush-hush"}]]
)
def test_an_entry_that_cannot_be_used_is_told_without_its_key(settings, value):
    settings.GRIP_PROXIES = value
    [found] = find_problems()
    assert found.text.startswith("cannot be used: ")
    assert "hush" not in str(found)


def test_all_problems_are_found_at_once(settings):
    settings.GRIP_PREFIX, settings.GRIP_MAX_CHANNELS, settings.GRIP_PROXIES = 5, "many", 5
    assert [found.setting for found in find_problems()] == ["GRIP_PROXIES", "GRIP_PREFIX", "GRIP_MAX_CHANNELS"]


def test_names_are_told_apart_by_whether_they_say_something(settings):
    settings.GRIP_URL, settings.GRIP_PREFIX = "", "mine-"
    assert {"GRIP_URL", "GRIP_PREFIX"} <= set(conf.setting_names())
    assert "GRIP_URL" not in conf.given_settings()
    assert "GRIP_PREFIX" in conf.given_settings()
