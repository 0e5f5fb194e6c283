"""Where a proxy's control port is: its URL taken apart once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..exceptions import GripUrlError

__all__ = ["Endpoint", "parse_endpoint", "redact_url"]


@dataclass(frozen=True)
class Endpoint:
    """A control port. `name` is its URL as logs and errors show it: no user, no password, no query."""

    name: str
    host: str
    port: int
    tls: bool
    path: str = ""
    query: str = ""
    userinfo: tuple[str, str] | None = None

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """The request target for a path below the control URL. The URL's own query goes behind it."""
        return f"{self.path}{path}?{self.query}" if self.query else self.path + path


def redact_url(url: str) -> str:
    """The URL without what may be secret in it: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(unreadable URL)"
    if not parts.scheme or not host:
        return parts.path if parts.scheme in ("ipc", "inproc") else "(unreadable URL)"
    where = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{where}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def parse_endpoint(url: str) -> Endpoint:
    """Take a control URL apart.

    Raises: GripUrlError, when it is not an http or https URL with a host, or has blanks or control characters.
    """
    name = redact_url(url)
    if any(ord(character) < 33 or ord(character) > 126 for character in url):
        raise GripUrlError(f"The control URL {name} has a blank, a control character or one beyond ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise GripUrlError(f"The control URL does not parse: {error}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GripUrlError(f"The control URL {name} is not http://HOST or https://HOST.")
    tls = parts.scheme == "https"
    userinfo = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Endpoint(
        name=name,
        host=parts.hostname,
        port=port or (443 if tls else 80),
        tls=tls,
        path=parts.path.rstrip("/"),
        query=parts.query,
        userinfo=userinfo,
    )
