"""How a proxy is reached and whose signature it makes: an entry of ``GRIP_PROXIES``, or a GRIP URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ..exceptions import GripUrlError, KeyFormatError
from .keys import Key, load_key
from .signatures import VerifyKey

__all__ = [
    "ENTRY_NAMES",
    "FASTLY_PUBLIC_KEY",
    "ProxyConfig",
    "parse_grip_url",
    "proxy_config_from_dict",
    "publish_server_from_dict",
]

ENTRY_NAMES = frozenset(
    {"control_iss", "control_uri", "control_zmq_uri", "key", "require_subscribers", "verify_iss", "verify_key"}
)
"""What an entry of ``GRIP_PROXIES`` may say; other names are passed over, and a system check tells of them."""

FASTLY_PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "CKo5A1ebyFcnmVV8SE5On-8G81JyBjSvcrx4VLetWCg",
    "y": "7gwJqaU6N8TP88--twjkwoB36f-pT3QsmI46nPhjO7M",
}
"""What Fastly Fanout signs with, for every customer: only the issuer tells them apart (GRIP.md, 8)."""

_fastly = re.compile(r"https://api\.fastly\.com/service/([A-Za-z0-9]+)", re.IGNORECASE)
_publish_path = re.compile(r"/publish/*\Z")
# A header's value must not end early, and blanks in a token are a slip of the hand.
_bearer = re.compile(r"[\x21-\x7e]+")
_not_in_a_uri = re.compile(r"[\x00-\x20\x7f]|[^\x00-\x7f]")

_QUERY_NAMES = {"iss": "control_iss", "key": "key", "verify-iss": "verify_iss", "verify-key": "verify_key"}

Secret = str | bytes | Mapping[str, Any]


@dataclass(frozen=True)
class ProxyConfig:
    """A proxy, or another server that takes items.

    control_uri: the base of the control port, without ``publish/``; None if there is none (a proxy that only signs).
    control_iss, key: what the tokens for the control port say and are signed with.
    bearer: the token for the control port that is sent as it is; basic: ``user:password`` from the URL.
    verify_key: what the proxy's ``Grip-Sig`` is verified with; None if it does not sign.
    """

    control_uri: str | None = None
    control_iss: str | None = None
    key: Key | None = None
    verify_key: VerifyKey | None = None
    require_subscribers: bool = False
    control_zmq_uri: str | None = None
    bearer: str | None = field(default=None, repr=False)
    basic: str | None = field(default=None, repr=False)

    @property
    def publish_url(self) -> str | None:
        """Where items are POSTed, with the slash that Fastly needs; a query stays behind it (GRIP.md, 4)."""
        if self.control_uri is None:
            return None
        base, mark, query = self.control_uri.partition("?")
        return f"{base}/publish/{mark}{query}"

    @property
    def authority(self) -> str:
        """How publishing shows who it is: "jwt", "bearer", "basic" or "none"."""
        if self.basic is not None:
            return "basic"
        if self.control_iss is not None and self.key is not None:
            return "jwt"
        return "none" if self.bearer is None else "bearer"


def parse_grip_url(url: str, *, default_verify_key: Secret | None = None) -> ProxyConfig:
    """Parse a GRIP URL: a control URI whose query may say ``iss``, ``key``, ``verify-iss`` and ``verify-key``.

    Keys may be ``base64:…``, a ``+`` in them stands for itself; other parameters stay on the control URI.

    Raises: GripUrlError, KeyFormatError; neither shows a key.
    """
    if not isinstance(url, str):
        raise GripUrlError(f"a GRIP URL must be a str, not {type(url).__name__}")
    if "#" in url:
        raise GripUrlError("a GRIP URL must not have a '#'; in a key write %23 for it")
    base, _, query = url.partition("?")
    entry: dict[str, str] = {}
    kept: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in _QUERY_NAMES:
            kept.append(part)
        elif _QUERY_NAMES[name] in entry:
            raise GripUrlError(f"the GRIP URL says {name!r} twice")
        else:
            entry[_QUERY_NAMES[name]] = unquote(value)
    entry["control_uri"] = "?".join(filter(None, (base, "&".join(kept))))
    return proxy_config_from_dict(entry, default_verify_key=default_verify_key)


def proxy_config_from_dict(entry: Mapping[str, Any], *, default_verify_key: Secret | None = None) -> ProxyConfig:
    """Make a `ProxyConfig` of an entry of ``GRIP_PROXIES`` (`ENTRY_NAMES`); None stands for "not given".

    Signatures are verified with ``verify_key``; else, for a Fastly control URI, with Fastly's; else with
    `default_verify_key` (``GRIP_VERIFY_KEY``); else with ``key``.

    Raises: GripUrlError, KeyFormatError; neither shows a key.
    """
    uri, basic = _read_control_uri(entry.get("control_uri"))
    key = _read_key(entry, "key")
    verify_key = _read_verify_key(entry, uri, key, default_verify_key)
    zmq_uri = _read_text(entry, "control_zmq_uri")
    if uri is None and zmq_uri is None and verify_key is None:
        raise GripUrlError("a proxy needs a control_uri, a control_zmq_uri or a verify_key")
    issuer = _read_text(entry, "control_iss")
    _check_signer(key, issuer)
    return ProxyConfig(
        control_uri=uri,
        control_iss=issuer,
        key=key,
        verify_key=verify_key,
        require_subscribers=bool(entry.get("require_subscribers", False)),
        control_zmq_uri=zmq_uri,
        bearer=_choose_bearer(uri, key, issuer, verify_key),
        basic=basic,
    )


def publish_server_from_dict(entry: Mapping[str, Any]) -> ProxyConfig:
    """Make a `ProxyConfig` of an entry of ``PUBLISH_SERVERS`` (``uri``, ``iss``, ``key``), which signs nothing.

    Raises: GripUrlError, KeyFormatError; neither shows a key.
    """
    uri, basic = _read_control_uri(entry.get("uri"))
    if uri is None:
        raise GripUrlError("a publish server needs a uri")
    key, issuer = _read_key(entry, "key"), _read_text(entry, "iss")
    _check_signer(key, issuer)
    bearer = _choose_bearer(uri, key, issuer, None)
    return ProxyConfig(control_uri=uri, control_iss=issuer, key=key, bearer=bearer, basic=basic)


def _read_control_uri(uri: object) -> tuple[str | None, str | None]:
    """Return the base of the control port, and ``user:password`` if the URI has them."""
    if uri is None:
        return None, None
    if not isinstance(uri, str) or not uri:
        raise GripUrlError(f"a control URI must be a str with something in it, not {uri!r}")
    parts = _split(uri)
    path = _publish_path.sub("", parts.path).rstrip("/")
    place = parts.netloc.rpartition("@")[2]
    base = f"{parts.scheme}://{place}{path}"
    return f"{base}?{parts.query}" if parts.query else base, _read_basic(parts)


def _split(uri: str) -> SplitResult:
    match = _not_in_a_uri.search(uri)
    if match:
        raise GripUrlError(f"the control URI has U+{ord(match[0]):04X} at position {match.start()}; percent-encode it")
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise GripUrlError(f"the control URI does not parse: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise GripUrlError(f"the control URI must begin with http:// or https://, not {parts.scheme + ':'!r}")
    if not parts.hostname or port == 0:
        raise GripUrlError("the control URI has no host, or the port 0")
    if parts.fragment or "#" in uri:
        raise GripUrlError("the control URI must not have a '#'")
    return parts


def _read_basic(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _read_text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise GripUrlError(f"{name} must be a str with something in it, not {value!r}")
    return value


def _read_key(entry: Mapping[str, Any], name: str) -> Key | None:
    value = entry.get(name)
    return None if value is None else _load(value, name)


def _load(value: Secret, name: str) -> Key:
    try:
        return load_key(value)
    except KeyFormatError as error:
        raise KeyFormatError(f"{name}: {error}") from error


def _read_verify_key(
    entry: Mapping[str, Any], uri: str | None, key: Key | None, default: Secret | None
) -> VerifyKey | None:
    issuer = _read_text(entry, "verify_iss")
    fastly = _fastly.match(uri) if uri else None
    if fastly:
        issuer = issuer or f"fastly:{fastly[1]}"
    verify_key = _read_key(entry, "verify_key")
    if verify_key is None and fastly:
        verify_key = _load(FASTLY_PUBLIC_KEY, "Fastly's public key")
    if verify_key is None and default is not None:
        verify_key = _load(default, "GRIP_VERIFY_KEY")
    verify_key = verify_key or key
    return None if verify_key is None else VerifyKey(verify_key, issuer)


def _check_signer(key: Key | None, issuer: str | None) -> None:
    if key is not None and issuer is not None and not key.can_sign:
        raise KeyFormatError("key: a public key cannot sign for the control port; give the private key or a secret")


def _choose_bearer(uri: str | None, key: Key | None, issuer: str | None, verify_key: VerifyKey | None) -> str | None:
    """Return the key as a bearer token, if it is one.

    Not over plain http if it is also what signatures are verified with: whoever reads it could sign as the proxy.
    """
    if uri is None or key is None or key.secret is None or issuer is not None:
        return None
    if uri.startswith("http:") and verify_key is not None and verify_key.key == key:
        return None
    # Bytes that are no token are a key for signatures only.
    token = key.secret.decode("latin-1")
    return token if _bearer.fullmatch(token) else None
