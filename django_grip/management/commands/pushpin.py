"""``manage.py pushpin``: run Pushpin in front of this project, or write its configuration for production."""

from __future__ import annotations

import os
import re
import secrets
import signal
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ...conf import grip_settings
from ...exceptions import GripError
from ...pushpin import (
    NEWEST,
    PushpinConfig,
    PushpinConfigError,
    Version,
    check_listen,
    check_target,
)
from ...pushpin_process import (
    PushpinProcess,
    find_version,
    make_private_directory,
    probe_routes,
    refuse_taken_port,
    write_config,
)
from ...pushpin_settings import choose_proxy, control_port_of, is_loopback, signing_key_of, zmq_specs_of

NO_PROXIES = """\
GRIP_PROXIES names no proxy. Write into the settings:

    PUSHPIN_KEY = "{key}"
    GRIP_PROXIES = [{{"control_uri": "http://127.0.0.1:5561", "key": PUSHPIN_KEY}}]

and call this again. The key is a new one, for you; in production take it from the environment."""

_link_token = re.compile(r"(/\.grip/)[^\s/?]+")


class Command(BaseCommand):
    """Pushpin takes the clients, and hands their requests to the application behind it."""

    help = "Runs Pushpin in front of this project, configured from its settings, or writes that configuration."
    # What of the settings is needed here is read here, and said in one sentence.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "addrport",
            nargs="?",
            default="7999",
            help="Where clients are taken: a port, or IP address and port (default: 127.0.0.1:7999).",
        )
        parser.add_argument(
            "--target",
            default="127.0.0.1:8000",
            help="Where the application listens, as HOST:PORT (default: %(default)s).",
        )
        parser.add_argument(
            "--proxy",
            type=int,
            metavar="N",
            help="The number of the entry in GRIP_PROXIES, from 0 (default: the first one on this machine).",
        )
        parser.add_argument(
            "--behind-tls",
            action="store_true",
            help="A server in front ends TLS and sets X-Forwarded-Proto and X-Forwarded-For: believe it.",
        )
        parser.add_argument(
            "--sig-key",
            metavar="FILE",
            help="The private key (PEM) that Pushpin signs with, where the settings have the public one only.",
        )
        parser.add_argument(
            "--print-config",
            metavar="DIR",
            help="Only write the configuration into this directory, and say how to run it.",
        )
        parser.add_argument(
            "--pushpin-version",
            metavar="X.Y",
            help="Write for this version (default: the one that is installed).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["print_config"] is not None:
                self._print_config(options)
            else:
                self._run(options)
        except (GripError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or 'Pushpin'}: {error.strerror or error}") from error

    def _print_config(self, options: dict[str, Any]) -> None:
        """Write the configuration for production: the same from the same settings."""
        directory = Path(os.path.abspath(options["print_config"]))
        config = self._configure(str(directory), _version(options, must_be_there=False), options, debug=False)
        write_config(config)
        self.stdout.write(
            f"The configuration is in {directory}, for Pushpin {_text(config.version)}. It holds a key: only you can "
            "read it.\n"
            "Run it as the same user, from a service that starts it again:\n\n"
            f"    pushpin --config={directory}/pushpin.conf\n\n"
            f"It takes clients at {_url(config.listen)} and hands them to {_url(config.target)}."
        )
        self._warn(config)

    def _run(self, options: dict[str, Any]) -> None:
        # What is wrong with the settings is told before what is wrong with the machine.
        self._configure("/", NEWEST, options, debug=False)
        version = _version(options, must_be_there=True)
        signal.signal(signal.SIGTERM, _interrupt)
        directory = make_private_directory()
        config = self._configure(str(directory), version, options, debug=grip_settings().debug)
        # A name that no client can know.
        probe = f"{secrets.token_hex(16)}.invalid"
        config = replace(config, routes=(*probe_routes(probe), f"* {config.target},over_http"))
        process = PushpinProcess(config, probe=probe, show=self._show, removes_directory=True)
        try:
            write_config(config)
            _refuse_taken_ports(config)
            process.start()
            if not process.wait_ready():
                raise CommandError(f"Pushpin does not start:\n{process.last_words()}")
            self._greet(config)
            code = process.wait()
        except KeyboardInterrupt:
            return
        finally:
            # A second Ctrl-C shall not leave anything behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            process.end()
        raise CommandError(f"Pushpin has ended by itself, with exit code {code}:\n{process.last_words()}")

    def _configure(self, directory: str, version: Version, options: dict[str, Any], *, debug: bool) -> PushpinConfig:
        settings = grip_settings()
        if not settings.proxies:
            raise CommandError(NO_PROXIES.format(key=secrets.token_urlsafe(32)))
        proxy = choose_proxy(settings.proxies, options["proxy"])
        pem = None if options["sig_key"] is None else Path(options["sig_key"]).read_bytes()
        return PushpinConfig(
            directory=directory,
            version=version,
            target=check_target(options["target"]),
            listen=check_listen(options["addrport"]),
            control=control_port_of(proxy),
            sig_key=signing_key_of(proxy, pem=pem),
            sig_iss=(proxy.verify_key.issuer if proxy.verify_key else None) or "pushpin",
            max_channels=settings.max_channels,
            behind_tls=options["behind_tls"],
            debug=debug,
            zmq=zmq_specs_of(proxy),
        )

    def _greet(self, config: PushpinConfig) -> None:
        self.stdout.write(
            f"Pushpin {_text(config.version)} takes clients at {_url(config.listen)}\n"
            f"in front of Django at {_url(config.target)}, which python manage.py runserver "
            f"{config.target} starts.\n"
            "Quit with CONTROL-C."
        )
        self._warn(config)
        self.stdout.flush()

    def _warn(self, config: PushpinConfig) -> None:
        if config.sig_key is None:
            self.stderr.write(
                "Pushpin does not sign, as GRIP_PROXIES has no key: whoever reaches Django may say to be it."
            )
        if not is_loopback(config.control.host):
            self.stderr.write(
                f"Whoever reaches {config.control.host}:{config.control.port} can publish anything: let a firewall "
                "keep others off."
            )

    def _show(self, line: str) -> None:
        # A link's token is as good as its owner.
        self.stdout.write(_link_token.sub(r"\1...", line))


def _refuse_taken_ports(config: PushpinConfig) -> None:
    listen = urlsplit(f"//{config.listen}")
    taken = (
        f"{config.listen} is in use already, perhaps by a Pushpin that runs as a service: stop that, or name another "
        "address or port for clients: manage.py pushpin ADDRPORT."
    )
    refuse_taken_port(listen.hostname or "", listen.port or 0, taken)
    if config.control.port:
        refuse_taken_port(
            *config.control,
            f"{config.control.host}:{config.control.port}, the control port of GRIP_PROXIES, is in use, perhaps "
            "by a Pushpin that runs as a service: stop that, or write another port into control_uri.",
        )


def _version(options: dict[str, Any], *, must_be_there: bool) -> Version:
    given = options["pushpin_version"]
    if given is not None:
        major, _, rest = str(given).partition(".")
        minor = rest.partition(".")[0]
        if not (major.isdecimal() and minor.isdecimal()):
            raise CommandError(f"{given!r} is no version of Pushpin; write one such as {_text(NEWEST)}.")
        return int(major), int(minor)
    try:
        return find_version()
    except PushpinConfigError:
        if must_be_there:
            raise
        return NEWEST


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _url(place: str) -> str:
    return f"http://{place}/"


def _interrupt(*_: Any) -> None:
    """Let a plain kill clean up as a Ctrl-C does."""
    raise KeyboardInterrupt
