"""``manage.py asyncapi``: the project's realtime endpoints as an AsyncAPI 3.0 document."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from ...asyncapi.channels import Channel
from ...asyncapi.document import build_document
from ...asyncapi.views import describe_view
from ...endpoints import Endpoint, find_endpoints
from ...exceptions import UsageError

# What describes an endpoint, or returns nothing if it is none of its kind.
Describer = Callable[[Endpoint], list[Channel]]


class Command(BaseCommand):
    """Walks the URLconf, and writes down every realtime endpoint that it routes."""

    help = "Writes an AsyncAPI 3.0 document of every live viewset, WebSocket, stream and long-poll in the URLconf."
    # The document goes to standard output; what checks say does not.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--server",
            action="append",
            default=[],
            metavar="URL",
            help="Where the project is reached, such as https://example.com; may be given several times.",
        )
        parser.add_argument(
            "--title", default="Realtime endpoints", help="The document's title (default: %(default)s)."
        )
        parser.add_argument(
            "--api-version",
            metavar="VERSION",
            help="The document's version (default: 1.0.0), and the version of the API that it describes.",
        )
        parser.add_argument("--urlconf", help="The module of another URLconf than ROOT_URLCONF.")
        parser.add_argument("--format", choices=["json", "yaml"], default="json", help="default: %(default)s")
        parser.add_argument("--output", metavar="FILE", help="Write into this file (default: to standard output).")

    def handle(self, *args: Any, **options: Any) -> None:
        write = _choose_format(options["format"])
        version = options["api_version"]
        channels, failures = _describe_all(options["urlconf"], version)
        try:
            document = build_document(
                channels, title=options["title"], version=version or "1.0.0", servers=options["server"]
            )
        except UsageError as error:
            raise CommandError(str(error)) from error
        self._put(write(document), options["output"])
        if failures:
            raise CommandError("\n".join(["These are missing in the document:", *failures]))

    def _put(self, text: str, output: str | None) -> None:
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror or error}") from error


def _describe_all(urlconf: str | None, version: str | None) -> tuple[list[Channel], list[str]]:
    """All channels; and of each endpoint that cannot be described, which it is and why."""
    try:
        endpoints = find_endpoints(urlconf)
    except ModuleNotFoundError as error:
        if urlconf is None or error.name is None or not f"{urlconf}.".startswith(f"{error.name}."):
            raise
        raise CommandError(f"There is no module {urlconf!r}.") from error
    channels: list[Channel] = []
    failures: list[str] = []
    describers = _make_describers(endpoints, version)
    for endpoint in endpoints:
        if endpoint.is_suffixed:
            continue
        try:
            channels += next(filter(None, (describe(endpoint) for describe in describers)), [])
        except Exception as error:  # noqa: BLE001 - a serializer or view of the project's; the others go on
            failures.append(f"{endpoint.address} ({endpoint.dotted_path}): {type(error).__name__}: {error}")
    return channels, failures


def _make_describers(endpoints: list[Endpoint], version: str | None) -> list[Describer]:
    """Who describes an endpoint, the most special first: the first that knows it."""
    if not any(_is_of_rest(endpoint) for endpoint in endpoints):
        # Django REST framework may not even be there.
        return [describe_view]
    from ...rest.schemas.asyncapi import make_describer

    return [make_describer(endpoints, version=version), describe_view]


def _is_of_rest(endpoint: Endpoint) -> bool:
    bases = endpoint.view_class.__mro__ if endpoint.view_class else ()
    return any(base.__module__.startswith("django_grip.rest.") for base in bases)


def _choose_format(name: str) -> Callable[[Any], str]:
    if name == "json":
        return _write_json
    if find_spec("yaml") is None:
        raise CommandError("--format yaml needs PyYAML: pip install PyYAML")
    return _write_yaml


def _write_json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder) + "\n"


def _write_yaml(document: Any) -> str:
    import yaml

    # Through JSON: YAML would write lazy texts, dates and tuples as Python objects, and same ones as anchors.
    plain = json.loads(_write_json(document))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))
