"""The system checks: what is wrong with the settings, and what to write instead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core import checks
from django.core.management import BaseCommand, call_command
from django.test.utils import _TestState

from .fake_proxy import KEY, PROXIES

ROOT = Path(__file__).parents[1]
GRIP = "django_grip.GripMiddleware"
CACHE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]
URI = "http://127.0.0.1:5561"
MAKE_ONE = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
GIVE_A_KEY = 'Give the proxy a key (sig_key in pushpin.conf) and name it as "key" in GRIP_PROXIES.'
SET_PROXIES = 'Set GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:5561", "key": "..."}].'


def found(settings, **values) -> list[tuple[str, str, str]]:
    """What the checks say to these settings: id, text and hint of each message."""
    for name, value in values.items():
        setattr(settings, name, value)
    return [(message.id, message.msg, message.hint) for message in checks.run_checks(tags=["grip"])]


GOOD = [
    {"GRIP_PROXIES": PROXIES},
    {"GRIP_PROXIES": PROXIES, "DEBUG": True},
    {"GRIP_URL": f"{URI}?key={KEY}"},
    {"GRIP_URL": "", "GRIP_PROXIES": PROXIES},
    {"GRIP_URL": f"{URI}?key={KEY}", "GRIP_PROXIES": []},
    {"GRIP_PROXIES": [{"control_uri": URI}], "GRIP_VERIFY_KEY": KEY},
    {"GRIP_PROXIES": [{"control_uri": URI}], "DEBUG": True},
    {"GRIP_PROXIES": [{"control_uri": URI, "key": "changeme"}], "DEBUG": True},
    {"GRIP_PROXIES": PROXIES, "GRIP_ALLOW_UNSIGNED": False, "GRIP_PROXY_REQUIRED": True, "GRIP_PREFIX": "mine-"},
    {"DEBUG": True},
    {"DEBUG": True, "GRIP_EMBEDDED": True, "GRIP_PROXY_REQUIRED": True},
    {"DEBUG": True, "GRIP_EMBEDDED": False, "GRIP_PROXIES": PROXIES},
    {"GRIP_PROXIES": PROXIES, "PUBLISH_SERVERS": [{"uri": "https://example.com"}]},
    {"GRIP_PROXIES": PROXIES, "MIDDLEWARE": ["django.middleware.common.CommonMiddleware", GRIP]},
    {"GRIP_PROXIES": PROXIES, "MIDDLEWARE": [CACHE[0], "django_grip.middleware.GripMiddleware", CACHE[1]]},
]


@pytest.mark.parametrize("values", GOOD, ids=lambda values: ", ".join(values))
def test_a_good_configuration_is_silent(settings, values):
    assert found(settings, **values) == []


@pytest.mark.needs("crypto")
def test_a_fastly_service_is_good(settings):
    proxy = {"control_uri": "https://api.fastly.com/service/ME", "key": "api-token"}
    assert found(settings, GRIP_PROXIES=[proxy]) == []


PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "CKo5A1ebyFcnmVV8SE5On-8G81JyBjSvcrx4VLetWCg",
    "y": "7gwJqaU6N8TP88--twjkwoB36f-pT3QsmI46nPhjO7M",
}

EMBEDDED = {"DEBUG": True, "GRIP_EMBEDDED": True}
BAD = {
    "the embedded proxy is turned off": (
        {"DEBUG": True, "GRIP_EMBEDDED": False},
        "grip.W003",
        "No GRIP proxy is configured: no request counts as proxied, and publish() has nowhere to send to.",
        SET_PROXIES,
    ),
    "embedded beside proxies": (
        {**EMBEDDED, "GRIP_PROXIES": PROXIES},
        "grip.W002",
        "GRIP_EMBEDDED has no effect: a proxy is configured, and it holds the connections.",
        "Take out GRIP_EMBEDDED, or GRIP_PROXIES and GRIP_URL.",
    ),
    "embedded, and a key": (
        {**EMBEDDED, "GRIP_VERIFY_KEY": KEY},
        "grip.W002",
        "GRIP_VERIFY_KEY is set, but the embedded proxy has a key of its own.",
        "Set GRIP_PROXIES or GRIP_URL too.",
    ),
    "embedded, and unsigned": (
        {**EMBEDDED, "GRIP_ALLOW_UNSIGNED": True},
        "grip.W002",
        "GRIP_ALLOW_UNSIGNED is set, but the embedded proxy signs its requests.",
        "Set GRIP_PROXIES or GRIP_URL too.",
    ),
    "embedded in production": (
        {"GRIP_EMBEDDED": True},
        "grip.W008",
        "GRIP_EMBEDDED without DEBUG: the embedded proxy serves one process only, and a deploy drops its clients.",
        "Run one worker, or put Pushpin in front and set GRIP_PROXIES; silence this if one process will do.",
    ),
    "nothing is set": (
        {},
        "grip.W003",
        "No GRIP proxy is configured: no request counts as proxied, and publish() has nowhere to send to.",
        SET_PROXIES,
    ),
    "only publish servers": (
        {"PUBLISH_SERVERS": [{"uri": "https://example.com"}]},
        "grip.W003",
        "No GRIP proxy is configured: no request counts as proxied.",
        SET_PROXIES,
    ),
    "unusable": (
        {"GRIP_PROXIES": PROXIES, "GRIP_PREFIX": 5},
        "grip.E001",
        "GRIP_PREFIX must be a str, not int.",
        'Write a str such as "mysite-".',
    ),
    "unknown, with a neighbour": (
        {"GRIP_PROXIES": PROXIES, "GRIP_PREFIXX": "a"},
        "grip.W001",
        "GRIP_PREFIXX is not a setting of django-grip.",
        "Did you mean GRIP_PREFIX?",
    ),
    "unknown": (
        {"GRIP_PROXIES": PROXIES, "GRIP_ZZZ": None},
        "grip.W001",
        "GRIP_ZZZ is not a setting of django-grip.",
        "docs/settings.md lists the settings.",
    ),
    "unknown entry": (
        {"GRIP_PROXIES": [{**PROXIES[0], "keys": "a"}]},
        "grip.W001",
        "GRIP_PROXIES has an entry 'keys', which nothing reads.",
        "docs/settings.md lists the entries.",
    ),
    "unknown entry of a server": (
        {"GRIP_PROXIES": PROXIES, "PUBLISH_SERVERS": [{"uri": "https://example.com", "control_iss": "a"}]},
        "grip.W001",
        "PUBLISH_SERVERS has an entry 'control_iss', which nothing reads.",
        "docs/settings.md lists the entries.",
    ),
    "url beside proxies": (
        {"GRIP_PROXIES": PROXIES, "GRIP_URL": f"{URI}?key={KEY}"},
        "grip.W002",
        "GRIP_URL is set beside GRIP_PROXIES: items are published to all of them.",
        "Keep one of the two, unless the project really has several proxies.",
    ),
    "no key": (
        {"GRIP_PROXIES": [{"control_uri": URI}]},
        "grip.E002",
        "No proxy in GRIP_PROXIES has a key, so no request can count as proxied.",
        GIVE_A_KEY,
    ),
    "unsigned allowed": (
        {"GRIP_PROXIES": [{"control_uri": URI}], "GRIP_ALLOW_UNSIGNED": True},
        "grip.W004",
        "GRIP_ALLOW_UNSIGNED lets anybody who reaches the application speak as the proxy.",
        GIVE_A_KEY,
    ),
    "unsigned allowed in vain": (
        {"GRIP_PROXIES": PROXIES, "GRIP_ALLOW_UNSIGNED": True},
        "grip.W002",
        "GRIP_ALLOW_UNSIGNED has no effect: a proxy has a key, so every request must be signed.",
        "Take the setting out.",
    ),
    "one without a key": (
        {"GRIP_PROXIES": [*PROXIES, {"control_uri": f"{URI}/?token=hush"}]},
        "grip.W007",
        f"The proxy at {URI} has no key, while others have: its requests count as direct.",
        'Give it a key too (sig_key in pushpin.conf) and name it as "key" in GRIP_PROXIES.',
    ),
    "the default key": (
        {"GRIP_PROXIES": [{"control_uri": URI, "key": "changeme"}]},
        "grip.E003",
        "The proxy's key is \"changeme\", which everybody knows who has seen Pushpin's configuration.",
        MAKE_ONE,
    ),
    "a weak key": (
        {"GRIP_PROXIES": [{"control_uri": URI, "key": "0123456789"}]},
        "grip.W005",
        "A proxy's key has 10 bytes; one that cannot be guessed has 32.",
        MAKE_ONE,
    ),
    "no middleware": (
        {"GRIP_PROXIES": PROXIES, "MIDDLEWARE": []},
        "grip.E005",
        f"{GRIP} is not in MIDDLEWARE.",
        "Put it first.",
    ),
    "middleware twice": (
        {"GRIP_PROXIES": PROXIES, "MIDDLEWARE": [GRIP, "tests.test_middleware.Strict"]},
        "grip.E006",
        f"{GRIP} is in MIDDLEWARE 2 times.",
        "Keep the first.",
    ),
    "behind the cache": (
        {"GRIP_PROXIES": PROXIES, "MIDDLEWARE": [*CACHE, GRIP]},
        "grip.W006",
        f"{GRIP} stands behind {CACHE[1]}, which answers proxied requests before it.",
        f"Put {GRIP} first.",
    ),
}


@pytest.mark.parametrize(("values", "identity", "text", "hint"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_told_with_its_id_and_what_to_do(settings, values, identity, text, hint):
    assert found(settings, **values) == [(identity, text, hint)]


@pytest.mark.needs("crypto")
def test_a_public_key_without_an_issuer_is_an_error(settings):
    [message] = found(settings, GRIP_PROXIES=[{"control_uri": URI, "verify_key": PUBLIC_KEY}])
    assert message == (
        "grip.E004",
        f"The proxy at {URI} has a public verify_key but no verify_iss, so no request verifies.",
        'One key may sign for many services (Fastly\'s does): name yours, as "verify_iss": "fastly:ID".',
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("GRIP_VERIFY_KEY", KEY, "GRIP_VERIFY_KEY is set, but there is no proxy whose key it could be."),
        ("GRIP_ALLOW_UNSIGNED", True, "GRIP_ALLOW_UNSIGNED is set, but there is no proxy that it could let in."),
        (
            "GRIP_PROXY_REQUIRED",
            True,
            "GRIP_PROXY_REQUIRED is set, but there is no proxy, so every hold is answered with a 501.",
        ),
    ],
)
def test_what_says_something_of_proxies_needs_one(settings, name, value, text):
    first, second = found(settings, **{name: value})
    assert first == ("grip.W002", text, "Set GRIP_PROXIES or GRIP_URL too.")
    assert second[0] == "grip.W003"


def test_every_unusable_setting_is_told_and_nothing_is_guessed_of_the_rest(settings):
    messages = found(settings, GRIP_PREFIX=5, GRIP_MAX_CHANNELS=0, GRIP_PROXIES=[{"control_uri": "nowhere"}])
    assert [identity for identity, _, _ in messages] == ["grip.E001"] * 3


def test_no_message_shows_a_key(settings):
    proxies = [{"control_uri": f"http://user:hush@127.0.0.1/?a=hush&key=hush{KEY[:5]}", "key": "hush"}]
    for values in (
        {"GRIP_PROXIES": proxies},
        {"GRIP_URL": f"nowhere?key={KEY}"},
        {"GRIP_PROXIES": [{"key": "hush", "x": KEY}]},
    ):
        messages = found(settings, **{"GRIP_PROXIES": None, "GRIP_URL": None, **values})
        assert messages
        assert not [message for message in messages if "hush" in str(message) or KEY in str(message)]


def test_every_message_has_an_id_of_its_own_kind_and_a_hint(settings):
    for values, *_ in BAD.values():
        for name, value in values.items():
            setattr(settings, name, value)
        for message in checks.run_checks(tags=["grip"]):
            assert message.hint
            assert message.id.startswith("grip.E" if message.is_serious() else "grip.W")


@pytest.mark.parametrize(("app", "name"), [("daphne", "daphne"), (BaseCommand(), "django.core.management.base")])
def test_another_runserver_in_front_of_ours_is_told_when_the_embedded_proxy_is_on(settings, monkeypatch, app, name):
    monkeypatch.setattr("django_grip.checks.get_commands", lambda: {"runserver": app})
    assert found(settings, DEBUG=True) == [
        (
            "grip.W009",
            f'The runserver of "{name}" comes before that of "django_grip": it runs without the embedded proxy.',
            f'Put "django_grip" before "{name}" in INSTALLED_APPS.',
        )
    ]
    assert found(settings, DEBUG=True, GRIP_PROXIES=PROXIES) == []


@pytest.mark.parametrize("options", [{}, {"GRIP_PROXIES": [{"control_uri": URI}]}, {"GRIP_URL": f"{URI}?key=changeme"}])
def test_what_is_good_under_debug_is_good_for_the_tests_that_django_runs_without(settings, monkeypatch, options):
    assert found(settings, **options) != []
    monkeypatch.setattr(_TestState, "saved_data", SimpleNamespace(debug=True), raising=False)
    assert found(settings, **options) == []


@pytest.mark.parametrize("app", ["django_grip", "django.core"])
def test_our_runserver_is_nothing_to_tell_of(settings, monkeypatch, app):
    monkeypatch.setattr("django_grip.checks.get_commands", lambda: {"runserver": app})
    assert found(settings, DEBUG=True) == []


def test_a_middleware_that_cannot_be_imported_is_for_django_to_report(settings):
    assert found(settings, GRIP_PROXIES=PROXIES, MIDDLEWARE=[GRIP, "no.such.Middleware", "os"]) == []


def test_the_settings_of_the_tests_have_what_is_expected_and_no_more():
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "django", "check"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr.count("?: ") == 1
    assert "(grip.W003) No GRIP proxy is configured" in done.stderr


def test_the_command_check_is_silent_on_a_good_configuration(settings, capsys):
    settings.GRIP_PROXIES = PROXIES
    call_command("check", fail_level="WARNING")
    assert capsys.readouterr().out == "System check identified no issues (0 silenced).\n"
