"""The project's GRIP settings, typed and checked: the only reader of ``django.conf.settings``.

`grip_settings()` reads them at first use and again after ``override_settings``. A value that cannot be used raises
`ImproperlyConfigured` there and then; `find_problems()` lists all such values at once, for the system checks.
"""

from __future__ import annotations

import hmac
import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any, NamedTuple, cast

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.crypto import salted_hmac

from .exceptions import GripError
from .origins import parse_origin
from .protocol.channels import check_channel_name
from .protocol.keys import Key, load_key
from .protocol.proxy_config import (
    ENTRY_NAMES,
    ProxyConfig,
    parse_grip_url,
    proxy_config_from_dict,
    publish_server_from_dict,
)
from .protocol.signatures import SignatureVerifier, VerifyKey

__all__ = [
    "GripSettings",
    "SettingProblem",
    "asgi_application_path",
    "believe_key",
    "derive_keys",
    "derive_secrets",
    "embedded_keys",
    "find_problems",
    "grip_settings",
    "kept_by_test_runner",
    "make_session",
    "project_home",
    "read_origins",
]

PUBLISH_MODES = ("background", "inline")

_CONDITIONAL_GET = "django.middleware.http.ConditionalGetMiddleware"
_CSRF = "django.middleware.csrf.CsrfViewMiddleware"


@dataclass(frozen=True)
class GripSettings:
    """What the settings say, ready for use. Times are in seconds, sizes in what the name says.

    embedded_wanted: GRIP_EMBEDDED, or None where it is not set; `embedded` is what comes of it.
    has_conditional_get, has_csrf: whether Django's ConditionalGetMiddleware and CsrfViewMiddleware are installed.
    extra_keys: believed beside those of the proxies (see `believe_key`).
    """

    proxies: tuple[ProxyConfig, ...] = ()
    publish_servers: tuple[ProxyConfig, ...] = ()
    prefix: str = ""
    proxy_required: bool = False
    allow_unsigned: bool = False
    allowed_origins: tuple[str, ...] = ()
    max_channels: int = 20
    publish_mode: str = "background"
    publish_timeout: float = 30.0
    publish_queue_size: int = 10_000
    debug: bool = False
    embedded_wanted: bool | None = None
    csrf_trusted_origins: tuple[str, ...] = ()
    has_conditional_get: bool = False
    has_csrf: bool = False
    extra_keys: tuple[VerifyKey, ...] = ()

    @cached_property
    def embedded(self) -> bool:
        """Whether the embedded proxy is this project's: none is configured, and DEBUG or GRIP_EMBEDDED asks for it."""
        if self.proxies or self.embedded_wanted is False:
            return False
        return self.debug or self.embedded_wanted is True

    @cached_property
    def verify_keys(self) -> tuple[VerifyKey, ...]:
        """The keys a Grip-Sig may be signed with, without repeats."""
        if self.embedded:
            return tuple(VerifyKey(key) for key in embedded_keys())
        keys = (proxy.verify_key for proxy in self.proxies)
        return tuple(dict.fromkeys(key for key in keys if key is not None))

    @cached_property
    def verifier(self) -> SignatureVerifier:
        return SignatureVerifier((*self.verify_keys, *self.extra_keys))

    @cached_property
    def believes_unsigned(self) -> bool:
        """Whether a request counts as proxied without a signature: only with no key at all (DESIGN decision 1)."""
        return bool(self.proxies) and not self.verify_keys and (self.debug or self.allow_unsigned)


class SettingProblem(NamedTuple):
    """A setting whose value cannot be used: its name, what is wrong and what to write instead."""

    setting: str
    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.setting} {self.text} {self.hint}"


class _Unusable(Exception):
    """A value is wrong; the message says how, without the setting's name."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def _read_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unusable(f"must be True or False, not {value!r}.")
    return value


def _read_prefix(value: object) -> str:
    if not isinstance(value, str):
        raise _Unusable(f"must be a str, not {type(value).__name__}.")
    if value:
        # A prefix may end in what a whole name may not end in, so it is judged with something behind it.
        check_channel_name(value + "x")
    return value


def _read_mode(value: object) -> str:
    if value not in PUBLISH_MODES:
        raise _Unusable(f'must be "background" or "inline", not {value!r}.')
    return str(value)


def _read_positive_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Unusable(f"must be an int above 0, not {value!r}.")
    return value


def _read_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 86_400:
        raise _Unusable(f"must be a number of seconds above 0, not {value!r}.")
    return float(value)


def _read_origins(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _Unusable(f"must be a list of origins, not {value!r}.", 'Write ["https://www.example.com"].')
    origins = tuple(value)
    for origin in origins:
        _check_origin(origin)
    return cast("tuple[str, ...]", origins)


def read_origins(value: object) -> tuple[str, ...]:
    """Check a list of origins given in code, as GRIP_ALLOWED_ORIGINS is. Raises: ImproperlyConfigured."""
    try:
        return _read_origins(value)
    except _Unusable as error:
        raise ImproperlyConfigured(f"allowed_origins {error} {error.hint}") from None


def _check_origin(origin: object) -> None:
    """Refuse what can never match an Origin header: no scheme, a path, a user, letters that browsers write as xn--."""
    hint = 'Write "https://www.example.com", "https://*.example.com" or "*".'
    if not isinstance(origin, str):
        raise _Unusable(f"has {origin!r}, which is not a str.", hint)
    if not origin.isascii():
        raise _Unusable(f"has {origin!r}, which browsers send in ASCII.", "Write the host as xn--..., as they do.")
    if origin != "*" and parse_origin(origin) is None:
        raise _Unusable(
            f"has {origin!r}, which is not an origin (scheme, host, and port if it is not the usual one).", hint
        )


def _entries(value: object) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _Unusable(f"must be a list of dicts, not {type(value).__name__}.")
    entries = list(value)
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise _Unusable(f"must be a list of dicts, but has a {type(entry).__name__}.")
    return entries


def _read_proxies(value: object) -> tuple[ProxyConfig, ...]:
    default_key = _default_verify_key()
    return tuple(proxy_config_from_dict(entry, default_verify_key=default_key) for entry in _entries(value))


def _default_verify_key() -> Any:
    """GRIP_VERIFY_KEY. An empty one is that of an environment without it, and would be no key at all."""
    return getattr(settings, "GRIP_VERIFY_KEY", None) or None


def _read_url(value: object) -> tuple[ProxyConfig, ...]:
    if not isinstance(value, str):
        raise _Unusable(f"must be a str, not {type(value).__name__}.")
    if not value:
        return ()
    return (parse_grip_url(value, default_verify_key=_default_verify_key()),)


def _read_publish_servers(value: object) -> tuple[ProxyConfig, ...]:
    return tuple(publish_server_from_dict(entry) for entry in _entries(value))


class _Setting(NamedTuple):
    target: str
    read: Callable[[object], Any]
    hint: str


_PROXIES_HINT = 'Write [{"control_uri": "http://127.0.0.1:5561", "key": "..."}].'
_SERVERS_HINT = 'Write [{"uri": "https://example.com/base", "iss": "...", "key": "..."}].'
_SECONDS_HINT = "Write a number of seconds, such as 30."

# GRIP_VERIFY_KEY is read with the proxies, whose default key it is.
_SETTINGS: dict[str, _Setting] = {
    "GRIP_PROXIES": _Setting("proxies", _read_proxies, _PROXIES_HINT),
    "GRIP_URL": _Setting("url_proxies", _read_url, 'Write "http://127.0.0.1:5561?key=...".'),
    "PUBLISH_SERVERS": _Setting("publish_servers", _read_publish_servers, _SERVERS_HINT),
    "GRIP_PREFIX": _Setting("prefix", _read_prefix, 'Write a str such as "mysite-".'),
    "GRIP_EMBEDDED": _Setting("embedded_wanted", _read_bool, "Write True or False, or leave it out."),
    "GRIP_PROXY_REQUIRED": _Setting("proxy_required", _read_bool, "Write True or False."),
    "GRIP_ALLOW_UNSIGNED": _Setting("allow_unsigned", _read_bool, "Write True or False."),
    "GRIP_ALLOWED_ORIGINS": _Setting("allowed_origins", _read_origins, 'Write ["https://www.example.com"].'),
    "GRIP_MAX_CHANNELS": _Setting("max_channels", _read_positive_int, "Write what the proxy allows, or leave it out."),
    "GRIP_PUBLISH_MODE": _Setting("publish_mode", _read_mode, 'Write "background" or "inline".'),
    "GRIP_PUBLISH_TIMEOUT": _Setting("publish_timeout", _read_seconds, _SECONDS_HINT),
    "GRIP_PUBLISH_QUEUE_SIZE": _Setting("publish_queue_size", _read_positive_int, "Write a number of items."),
}
KNOWN_SETTINGS = frozenset(_SETTINGS) | {"GRIP_VERIFY_KEY"}


def _read(name: str) -> tuple[dict[str, Any], SettingProblem | None]:
    """Read one setting: its field and value, or the problem with it."""
    setting = _SETTINGS[name]
    value = getattr(settings, name, None)
    if value is None:
        return {}, None
    try:
        return {setting.target: setting.read(value)}, None
    except _Unusable as error:
        return {}, SettingProblem(name, str(error), error.hint or setting.hint)
    except GripError as error:
        return {}, SettingProblem(name, f"cannot be used: {error}.", setting.hint)


def find_problems() -> list[SettingProblem]:
    """Every setting whose value cannot be used, in the order of the documentation."""
    return [problem for name in _SETTINGS if (problem := _read(name)[1])]


def setting_names() -> list[str]:
    """The project's settings that are, or seem to be meant for, django-grip."""
    return sorted(name for name in dir(settings) if name.startswith("GRIP_") or name == "PUBLISH_SERVERS")


def given_settings() -> set[str]:
    """Those of them that say something: an empty one is that of an environment which does not set it."""
    return {name for name in setting_names() if getattr(settings, name)}


def unknown_entries() -> list[tuple[str, str]]:
    """The setting and the name of each entry of a proxy or publish server that nobody reads."""
    known = {"GRIP_PROXIES": ENTRY_NAMES, "PUBLISH_SERVERS": frozenset({"uri", "iss", "key"})}
    found: list[tuple[str, str]] = []
    for setting, names in known.items():
        try:
            entries = _entries(getattr(settings, setting, None) or [])
        except _Unusable:
            continue
        found.extend((setting, str(name)) for entry in entries for name in entry if name not in names)
    return found


def installed_middleware() -> list[str]:
    return list(settings.MIDDLEWARE)


def has_urlconf() -> bool:
    """Whether the project routes anything: a worker's need not."""
    return bool(getattr(settings, "ROOT_URLCONF", None))


def asgi_application_path() -> str | None:
    """Where the project has its ASGI application, if it says so."""
    path: str | None = getattr(settings, "ASGI_APPLICATION", None)
    return path


@cache
def grip_settings() -> GripSettings:
    """The project's GRIP settings; read once, and again when a test overrides one.

    Raises: ImproperlyConfigured, naming the first setting whose value cannot be used.
    """
    fields: dict[str, Any] = {}
    for name in _SETTINGS:
        read, problem = _read(name)
        if problem:
            raise ImproperlyConfigured(str(problem))
        fields.update(read)
    fields["proxies"] = fields.get("proxies", ()) + fields.pop("url_proxies", ())
    fields["debug"] = bool(settings.DEBUG)
    fields["csrf_trusted_origins"] = tuple(settings.CSRF_TRUSTED_ORIGINS)
    fields["has_conditional_get"] = _CONDITIONAL_GET in settings.MIDDLEWARE
    fields["has_csrf"] = _CSRF in settings.MIDDLEWARE
    fields["extra_keys"] = tuple(_extra_keys)
    return GripSettings(**fields)


_extra_keys: list[VerifyKey] = []


@contextmanager
def believe_key(key: VerifyKey) -> Iterator[None]:
    """Believe requests that are signed with this key, whatever the settings say, until the block ends. For tests."""
    _extra_keys.append(key)
    grip_settings.cache_clear()
    try:
        yield
    finally:
        _extra_keys.remove(key)
        grip_settings.cache_clear()


@cache
def derive_keys(purpose: str) -> tuple[bytes, ...]:
    """Keys for one purpose, derived from SECRET_KEY and SECRET_KEY_FALLBACKS. The first one signs; any verifies."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return tuple(
        salted_hmac(f"django_grip.{purpose}", "", secret=secret, algorithm="sha256").digest() for secret in secrets
    )


def derive_secrets(purpose: str, *parts: str) -> tuple[str, ...]:
    """Secrets for one purpose as text of 43 characters that any header, URL or file name can carry.

    parts: what else they depend on. The first is used; any is accepted.
    """
    return tuple(
        urlsafe_b64encode(hmac.digest(key, "\0".join(parts).encode(), "sha256")).rstrip(b"=").decode()
        for key in derive_keys(purpose)
    )


def embedded_keys() -> tuple[Key, ...]:
    """What the embedded proxy signs its requests with (the first), and what is believed of it (any)."""
    return tuple(load_key(secret) for secret in derive_secrets("embedded"))


def project_home() -> str:
    """The directory of the project's settings: what tells two projects with the same SECRET_KEY apart.

    All settings modules of one package have the same, and "" is that of settings which were made in code.
    """
    top = sys.modules.get(os.environ.get(ENVIRONMENT_VARIABLE, "").partition(".")[0])
    file, paths = getattr(top, "__file__", None), list(getattr(top, "__path__", ()))
    home = paths[0] if paths else os.path.dirname(file) if file else ""
    return os.path.realpath(home) if home else ""


def kept_by_test_runner() -> Any:
    """What Django's test runner has kept of the project's own settings, such as ``debug``; None where none runs."""
    return getattr(getattr(sys.modules.get("django.test.utils"), "_TestState", None), "saved_data", None)


def make_session(key: str | None) -> Any:
    """The session of a key, as the project stores sessions; without a key, a new one."""
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def session_cookie_name() -> str:
    """The cookie that a session's key is in."""
    return str(settings.SESSION_COOKIE_NAME)


def csrf_cookie_name() -> str:
    """The cookie that the token against CSRF is in."""
    return str(settings.CSRF_COOKIE_NAME)


def _forget(*, setting: str, **kwargs: object) -> None:
    grip_settings.cache_clear()
    derive_keys.cache_clear()


setting_changed.connect(_forget, dispatch_uid="django_grip.conf")
