"""System checks: what is wrong with the settings, and what to write instead. ``docs/settings.md`` lists the ids."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from . import conf
from .conf import GripSettings, grip_settings, kept_by_test_runner
from .protocol.proxy_config import ProxyConfig

__all__ = ["check_embedded", "check_keys", "check_middleware", "check_settings"]

MIDDLEWARE = "django_grip.GripMiddleware"
_MIDDLEWARE_NAMES = (MIDDLEWARE, "django_grip.middleware.GripMiddleware")
_CACHE_MIDDLEWARE = "django.middleware.cache.FetchFromCacheMiddleware"

# Pushpin ships with it, so everybody knows it.
_DEFAULT_KEYS = (b"changeme",)
# RFC 7518, 3.2: a key for HS256 has at least the size of its hash.
_STRONG_KEY_BYTES = 32


@register("grip")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """grip.E001, grip.W001, grip.W002, grip.W003: unusable, unknown, contradictory and missing settings."""
    messages: list[CheckMessage] = [
        Error(f"{problem.setting} {problem.text}", hint=problem.hint, id="grip.E001")
        for problem in conf.find_problems()
    ]
    messages.extend(_unknown_settings())
    messages.extend(_contradictions())
    messages.extend(_no_proxy())
    return messages


def _unknown_settings() -> Iterator[CheckMessage]:
    for name in conf.setting_names():
        if name not in conf.KNOWN_SETTINGS:
            near = difflib.get_close_matches(name, conf.KNOWN_SETTINGS, n=1, cutoff=0.8)
            hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists the settings."
            yield Warning(f"{name} is not a setting of django-grip.", hint=hint, id="grip.W001")
    for setting, name in conf.unknown_entries():
        hint = "docs/settings.md lists the entries."
        yield Warning(f"{setting} has an entry {name!r}, which nothing reads.", hint=hint, id="grip.W001")


def _contradictions() -> Iterator[CheckMessage]:
    given = conf.given_settings()
    if {"GRIP_URL", "GRIP_PROXIES"} <= given:
        yield Warning(
            "GRIP_URL is set beside GRIP_PROXIES: items are published to all of them.",
            hint="Keep one of the two, unless the project really has several proxies.",
            id="grip.W002",
        )
    if given & {"GRIP_URL", "GRIP_PROXIES"}:
        if "GRIP_EMBEDDED" in given:
            yield Warning(
                "GRIP_EMBEDDED has no effect: a proxy is configured, and it holds the connections.",
                hint="Take out GRIP_EMBEDDED, or GRIP_PROXIES and GRIP_URL.",
                id="grip.W002",
            )
        return
    config = _usable_settings()
    needs = _NEEDS_A_CONFIGURED_PROXY if config is not None and config.embedded else _NEEDS_A_PROXY
    for name, text in needs.items():
        if name in given:
            yield Warning(f"{name} is set, but {text}.", hint="Set GRIP_PROXIES or GRIP_URL too.", id="grip.W002")


_NEEDS_A_PROXY = {
    "GRIP_VERIFY_KEY": "there is no proxy whose key it could be",
    "GRIP_ALLOW_UNSIGNED": "there is no proxy that it could let in",
    "GRIP_PROXY_REQUIRED": "there is no proxy, so every hold is answered with a 501",
}
_NEEDS_A_CONFIGURED_PROXY = {
    "GRIP_VERIFY_KEY": "the embedded proxy has a key of its own",
    "GRIP_ALLOW_UNSIGNED": "the embedded proxy signs its requests",
}


def _no_proxy() -> Iterator[CheckMessage]:
    config = _usable_settings()
    if config is None or config.proxies or config.embedded:
        return
    if config.embedded_wanted is None and _is_tested():
        return  # DEBUG brings it back, and GripClient needs none
    nowhere = "" if config.publish_servers else ", and publish() has nowhere to send to"
    yield Warning(
        f"No GRIP proxy is configured: no request counts as proxied{nowhere}.",
        hint='Set GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:5561", "key": "..."}].',
        id="grip.W003",
    )


@register("grip")
def check_embedded(**kwargs: Any) -> list[CheckMessage]:
    """grip.W008, grip.W009: does the embedded proxy get to hold the connections, and is it enough?"""
    config = _usable_settings()
    if config is None or not config.embedded:
        return []
    return [*_one_process_only(config), *_foreign_runserver()]


def _one_process_only(config: GripSettings) -> Iterator[CheckMessage]:
    if not config.debug:
        yield Warning(
            "GRIP_EMBEDDED without DEBUG: the embedded proxy serves one process only, and a deploy drops its clients.",
            hint="Run one worker, or put Pushpin in front and set GRIP_PROXIES; silence this if one process will do.",
            id="grip.W008",
        )


def _foreign_runserver() -> Iterator[CheckMessage]:
    """Another app's runserver, which would serve the project without the embedded proxy."""
    app = get_commands().get("runserver")
    own = apps.is_installed("django_grip")
    if own and app not in ("django_grip", "django.core"):
        name = app if isinstance(app, str) else type(app).__module__
        yield Warning(
            f'The runserver of "{name}" comes before that of "django_grip": it runs without the embedded proxy.',
            hint=f'Put "django_grip" before "{name}" in INSTALLED_APPS.',
            id="grip.W009",
        )


@register("grip")
def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """grip.E002, grip.E003, grip.E004, grip.W004, grip.W005, grip.W007: who could sign as the proxy?"""
    config = _usable_settings()
    if config is None or not config.proxies:
        return []
    return [*_unsigned(config), *_weak_keys(config), *_foreign_keys(config.proxies)]


def _usable_settings() -> GripSettings | None:
    try:
        return grip_settings()
    except ImproperlyConfigured:
        return None  # grip.E001 tells


def _is_tested() -> bool:
    """Whether DEBUG is off for a test runner only, as Django's turns it off before the checks."""
    return bool(getattr(kept_by_test_runner(), "debug", False))


def _unsigned(config: GripSettings) -> Iterator[CheckMessage]:
    if config.verify_keys:
        if config.allow_unsigned:
            yield Warning(
                "GRIP_ALLOW_UNSIGNED has no effect: a proxy has a key, so every request must be signed.",
                hint="Take the setting out.",
                id="grip.W002",
            )
        yield from _keyless(config.proxies)
        return
    if config.allow_unsigned:
        yield Warning(
            "GRIP_ALLOW_UNSIGNED lets anybody who reaches the application speak as the proxy.",
            hint='Give the proxy a key (sig_key in pushpin.conf) and name it as "key" in GRIP_PROXIES.',
            id="grip.W004",
        )
    elif not (config.debug or _is_tested()):
        yield Error(
            "No proxy in GRIP_PROXIES has a key, so no request can count as proxied.",
            hint='Give the proxy a key (sig_key in pushpin.conf) and name it as "key" in GRIP_PROXIES.',
            id="grip.E002",
        )


def _keyless(proxies: Iterable[ProxyConfig]) -> Iterator[CheckMessage]:
    for proxy in proxies:
        if proxy.verify_key is None:
            yield Warning(
                f"The proxy at {_name(proxy)} has no key, while others have: its requests count as direct.",
                hint='Give it a key too (sig_key in pushpin.conf) and name it as "key" in GRIP_PROXIES.',
                id="grip.W007",
            )


def _name(proxy: ProxyConfig) -> str:
    # Without the query, where people keep tokens.
    return (proxy.control_uri or proxy.control_zmq_uri or "no control_uri").partition("?")[0]


def _weak_keys(config: GripSettings) -> Iterator[CheckMessage]:
    if config.debug or _is_tested():
        return
    for secret in {key.key.secret for key in config.verify_keys if key.key.secret is not None}:
        if secret in _DEFAULT_KEYS:
            yield Error(
                "The proxy's key is \"changeme\", which everybody knows who has seen Pushpin's configuration.",
                hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                id="grip.E003",
            )
        elif len(secret) < _STRONG_KEY_BYTES:
            yield Warning(
                f"A proxy's key has {len(secret)} bytes; one that cannot be guessed has {_STRONG_KEY_BYTES}.",
                hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                id="grip.W005",
            )


def _foreign_keys(proxies: Iterable[ProxyConfig]) -> Iterator[CheckMessage]:
    for proxy in proxies:
        key = proxy.verify_key
        if key is not None and not key.is_usable:
            yield Error(
                f"The proxy at {_name(proxy)} has a public verify_key but no verify_iss, so no request verifies.",
                hint='One key may sign for many services (Fastly\'s does): name yours, as "verify_iss": "fastly:ID".',
                id="grip.E004",
            )


@register("grip")
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """grip.E005, grip.E006, grip.W006: is the middleware there, once, and in front of the page cache?"""
    installed = conf.installed_middleware()
    places = [place for place, name in enumerate(installed) if name in _MIDDLEWARE_NAMES or _is_ours(name)]
    if not places:
        return [Error(f"{MIDDLEWARE} is not in MIDDLEWARE.", hint="Put it first.", id="grip.E005")]
    if len(places) > 1:
        return [Error(f"{MIDDLEWARE} is in MIDDLEWARE {len(places)} times.", hint="Keep the first.", id="grip.E006")]
    if _CACHE_MIDDLEWARE in installed[: places[0]]:
        text = f"{MIDDLEWARE} stands behind {_CACHE_MIDDLEWARE}, which answers proxied requests before it."
        return [Warning(text, hint=f"Put {MIDDLEWARE} first.", id="grip.W006")]
    return []


def _is_ours(name: str) -> bool:
    """Whether a middleware is a subclass of ours; what cannot be imported is for Django to report."""
    from django.utils.module_loading import import_string

    from .middleware import GripMiddleware

    try:
        middleware = import_string(name)
    except ImportError:
        return False
    return isinstance(middleware, type) and issubclass(middleware, GripMiddleware)
