"""What a Pushpin configuration for a project is: the files, as text. `manage.py pushpin` writes and runs them.

The facts are those of GRIP.md, 1, 4 and 7, and of Pushpin's source (its runner, its `Settings`). Pushpin's sample
configuration is not read: what its code has another default for than the sample is said here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from .exceptions import GripError
from .protocol.keys import Key

__all__ = [
    "CONTROL",
    "KEY_FILE",
    "MAX_SOCKET_DIRECTORY",
    "NEWEST",
    "ControlPort",
    "PushpinConfig",
    "PushpinConfigError",
    "Version",
    "ZmqSpecs",
    "check_listen",
    "check_target",
    "ini_value",
    "is_address",
]

Version = tuple[int, int]
NEWEST: Version = (1, 41)

KEY_FILE = "sig_key.pem"

# A unix socket's path has room for 103 bytes on the BSDs and 107 on Linux; the longest name takes some thirty of them.
MAX_SOCKET_DIRECTORY = 74

_plain = re.compile(r"[A-Za-z0-9_./:+=*{}-]+")
_host = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# Pushpin puts something else in the place of these, wherever they stand.
_replaced = ("{libdir}", "{rundir}", "{ipc_prefix}", "tcp://")


class PushpinConfigError(GripError):
    """No Pushpin can be configured so. The text says why, and what to do."""


class ControlPort(NamedTuple):
    """Where Pushpin takes items over HTTP. port 0: nowhere."""

    host: str
    port: int


class ZmqSpecs(NamedTuple):
    """Pushpin's ZeroMQ sockets, by default private ones: two for items, and the command port."""

    push: str = "ipc://{rundir}/{ipc_prefix}push"
    sub: str = "ipc://{rundir}/{ipc_prefix}sub"
    command: str = "ipc://{rundir}/{ipc_prefix}command"


CONTROL = ControlPort("127.0.0.1", 5561)
PRIVATE_ZMQ = ZmqSpecs()


@dataclass(frozen=True)
class PushpinConfig:
    """One Pushpin in front of one application.

    directory: absolute, where the files will be; sockets and logs go below it. version: of Pushpin, major and minor.
    target: ``HOST:PORT`` of the application. listen: ``ADDRESS:PORT`` for clients.
    sig_key: what requests are signed with; None for no signature.
    behind_tls: whether somebody in front ends TLS and sets X-Forwarded-Proto and X-Forwarded-For; otherwise nobody is
    believed who says so. log_requests: whether 1.36 logs its requests to the application, apart from the client's.
    routes: lines in place of the one to the target. changes: by section and name, what is to differ.
    """

    directory: str
    version: Version = NEWEST
    target: str = "127.0.0.1:8000"
    listen: str = "127.0.0.1:7999"
    control: ControlPort = CONTROL
    sig_key: Key | None = None
    sig_iss: str = "pushpin"
    zmq: ZmqSpecs = PRIVATE_ZMQ
    max_channels: int = 20
    behind_tls: bool = False
    debug: bool = False
    log_requests: bool = False
    routes: tuple[str, ...] = ()
    changes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def run_directory(self) -> str:
        return f"{self.directory}/run"

    @property
    def log_directory(self) -> str:
        return f"{self.directory}/log"

    @property
    def has_zurl(self) -> bool:
        """Whether this version sends its requests through zurl, which its runner starts."""
        return self.version < (1, 38)

    def files(self) -> dict[str, str]:
        """The files by name. Raises: PushpinConfigError."""
        _check_directory(self.run_directory)
        files = {"pushpin.conf": self._render(), "routes": self._routes()}
        if self.sig_key is not None and self.sig_key.secret is None:
            files[KEY_FILE] = _private_pem(self.sig_key)
        return files

    def _routes(self) -> str:
        lines = self.routes or (f"* {check_target(self.target)},over_http",)
        why = (
            "# over_http on every line that leads to Django: it makes WebSockets into requests, and it keeps clients\n"
            "# from posting WebSocket events themselves.\n"
        )
        return why + "".join(f"{line}\n" for line in lines)

    def _render(self) -> str:
        blocks = [
            "# Written by manage.py pushpin for this project's settings; write it again when they change.\n"
            "# It holds the key that requests are signed with: nobody else may read it.\n"
        ]
        for section, entries in self._sections().items():
            values = {entry.name: entry for entry in entries}
            for name, value in self.changes.get(section, {}).items():
                values[name] = _Entry(name, value)
            blocks.append(f"[{section}]\n" + "".join(entry.render() for entry in values.values()))
        return "\n".join(blocks)

    def _sections(self) -> dict[str, list[_Entry]]:
        return {
            "global": [
                _Entry("include", "{libdir}/internal.conf"),
                _Entry("rundir", ini_value(self.run_directory)),
                _Entry("ipc_prefix", "p-"),
            ],
            "runner": self._runner(),
            "proxy": self._proxy(),
            "handler": self._handler(),
        }

    def _runner(self) -> list[_Entry]:
        level = "2" if self.log_requests or not self.has_zurl else "2,zurl:1"
        return [
            _Entry("services", _services(self.version)),
            _Entry("http_port", check_listen(self.listen), "with the address: the bare port listens on every one"),
            _Entry("logdir", ini_value(self.log_directory)),
            _Entry("log_level", level),
            _Entry("client_buffer_size", "65536", "as shipped, 1.36 stalls on messages of more than 32,766 bytes"),
            _Entry("client_maxconn", "50000"),
        ]

    def _proxy(self) -> list[_Entry]:
        entries = [
            _Entry("routesfile", "routes"),
            _Entry("debug", _bool(self.debug), "say in a 502 what is wrong with an instruction"),
            _Entry("sig_iss", self._issuer()),
            _Entry("sig_key", self._key(), "the same as in GRIP_PROXIES, in a form that an ini file does not change"),
            *self._forwarded(),
            _Entry("updates_check", "off"),
        ]
        if self.has_zurl:
            zurl = "ipc://{rundir}/{ipc_prefix}zurl-"
            entries += [
                _Entry("zurl_out_specs", f"{zurl}in", "a zurl of its own, not that of an installed service"),
                _Entry("zurl_out_stream_specs", f"{zurl}in-stream"),
                _Entry("zurl_in_specs", f"{zurl}out"),
            ]
        return entries

    def _forwarded(self) -> list[_Entry]:
        if self.behind_tls:
            return [
                _Entry("accept_x_forwarded_protocol", "false"),
                _Entry("set_x_forwarded_protocol", "false", "passed on as the server in front has set it"),
                _Entry("x_forwarded_for", "truncate:1", "the last one is what the server in front saw"),
            ]
        return [
            _Entry("accept_x_forwarded_protocol", "false"),
            _Entry("set_x_forwarded_protocol", "proto-only", "a client's own word is removed"),
            _Entry("x_forwarded_for", "truncate:0,append", "the client's address, and not what it says itself"),
        ]

    def _handler(self) -> list[_Entry]:
        return [
            _Entry("push_in_http_addr", self.control.host, "whoever reaches it may publish anything to anybody"),
            _Entry("push_in_http_port", str(self.control.port)),
            _Entry("push_in_http_max_headers_size", "10000"),
            _Entry("push_in_http_max_body_size", "1000000"),
            _Entry("push_in_spec", ini_value(self.zmq.push)),
            _Entry("push_in_sub_specs", ini_value(self.zmq.sub)),
            _Entry("push_in_sub_connect", "false"),
            _Entry("command_spec", ini_value(self.zmq.command)),
            _Entry("stats_spec", "ipc://{rundir}/{ipc_prefix}stats"),
            _Entry("message_rate", "100000", "messages to clients a second; what is above it waits"),
            _Entry("message_hwm", "1000000", "so many; what is above it is dropped without a word"),
            _Entry("message_wait", "5000"),
            _Entry("id_cache_ttl", "60"),
            _Entry("connection_subscription_max", str(self.max_channels), "GRIP_MAX_CHANNELS"),
            _Entry("subscription_linger", "60"),
        ]

    def _issuer(self) -> str:
        for name in _replaced:
            if name in self.sig_iss:
                raise PushpinConfigError(f"verify_iss has {name!r}, which Pushpin would put something else for.")
        return ini_value(self.sig_iss)

    def _key(self) -> str:
        if self.sig_key is None:
            return ""
        if self.sig_key.secret is None:
            return f"file:{KEY_FILE}"
        return f"base64:{b64encode(self.sig_key.secret).decode()}"


class _Entry(NamedTuple):
    name: str
    value: str
    comment: str = ""

    def render(self) -> str:
        comment = f"# {self.comment}\n" if self.comment else ""
        return f"{comment}{self.name}={self.value}\n"


def _services(version: Version) -> str:
    if version >= (1, 40):
        return "connmgr,proxy,handler"
    if version >= (1, 38):
        return "condure,pushpin-proxy,pushpin-handler"
    return "condure,zurl,pushpin-proxy,pushpin-handler"


def _bool(value: bool) -> str:
    return "true" if value else "false"


def ini_value(text: str) -> str:
    """Write a text so that Pushpin reads it as it is: a bare comma would make it a list, a backslash an escape."""
    if _plain.fullmatch(text):
        return text
    quoted: list[str] = []
    after_escape = False
    for unit in _utf16_units(text):
        char = chr(unit)
        # Every hexadecimal digit behind \x belongs to it.
        if not 0x20 <= unit < 0x7F or (after_escape and char in "0123456789abcdefABCDEF"):
            quoted.append(f"\\x{unit:x}")
            after_escape = True
            continue
        quoted.append(f"\\{char}" if char in '"\\' else char)
        after_escape = False
    return f'"{"".join(quoted)}"'


def _utf16_units(text: str) -> list[int]:
    encoded = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2)]


def _check_directory(directory: str) -> None:
    if len(directory.encode(errors="surrogateescape")) > MAX_SOCKET_DIRECTORY:
        raise PushpinConfigError(
            f"{directory} is too long a name for a directory with sockets in it; choose one of {MAX_SOCKET_DIRECTORY} "
            "bytes at most."
        )
    for name in _replaced:
        if name in directory:
            raise PushpinConfigError(
                f"{directory} has {name!r} in its name, which Pushpin would put something else for."
            )


def check_target(target: str) -> str:
    """Return ``HOST:PORT`` as a route takes it; a port alone is one of this machine. Raises: PushpinConfigError."""
    host, _, port = target.rpartition(":")
    host = host or "127.0.0.1"
    if not _host.fullmatch(host) or not _is_port(port):
        raise PushpinConfigError(
            f"{target!r} is not where an application listens; write HOST:PORT, such as 127.0.0.1:8000 (a route of "
            "Pushpin's takes no IPv6 address)."
        )
    return f"{host}:{port}"


def check_listen(listen: str) -> str:
    """Return ``ADDRESS:PORT`` as Pushpin takes it; a port alone is on 127.0.0.1. Raises: PushpinConfigError."""
    host, _, port = listen.rpartition(":")
    # As runserver has it.
    host = {"": "127.0.0.1", "localhost": "127.0.0.1", "0": "0.0.0.0"}.get(host, host)  # noqa: S104 - when asked for
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _is_port(port) or not is_address(bare):
        # A name that is no address would make Pushpin listen on every one.
        raise PushpinConfigError(f"{listen!r} is not a port, nor an IP address and port such as 127.0.0.1:7999.")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65_536


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _private_pem(key: Key) -> str:
    """A private key in the one form of PEM that Pushpin reads for every kind of key."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem: bytes = key.material.private_bytes(  # type: ignore[union-attr]
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return pem.decode()
