"""``manage.py runserver``: Django's own, and WebSockets, streams and long-polls work.

With the embedded proxy on, uvicorn serves. With GRIP proxies configured everything is as in Django, on WSGI: clients
connect to the proxy, and what comes from there are short requests, for which Django's own server is the familiar one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

from django.apps import apps
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.contrib.staticfiles.management.commands.runserver import Command as StaticFilesCommand
from django.core.management.base import CommandParser, OutputWrapper
from django.utils import autoreload

from ...conf import GripSettings, asgi_application_path, grip_settings
from ...devserver.access_log import AccessLog
from ...devserver.reload import RESTART, ignore_signals, is_server_process, leave_within, run_server_process
from ...devserver.server import UvicornServer, can_serve

# Seconds. A server that was told to end waits no longer for a view that takes its time.
_LEAVE_WITHIN = 4.0


class Command(StaticFilesCommand):
    """Serves the project behind the embedded GRIP proxy, if that is the project's."""

    # Set by Django's `handle`.
    addr: str

    _server: UvicornServer | None = None
    _proxy: Any = None
    _exit_code = 0

    def add_arguments(self, parser: CommandParser) -> None:
        if apps.is_installed("django.contrib.staticfiles"):
            super().add_arguments(parser)
            return
        super(StaticFilesCommand, self).add_arguments(parser)
        parser.set_defaults(use_static_handler=False, insecure_serving=False)

    def run(self, **options: Any) -> None:
        if not options["use_reloader"]:
            self._serve(lambda: self.inner_run(None, **options))
        elif is_server_process():
            self._serve(lambda: autoreload.run_with_reloader(self.inner_run, **options))
        else:
            sys.exit(run_server_process())

    def get_handler(self, *args: Any, **options: Any) -> Any:
        if not (grip_settings().embedded and can_serve()):
            return super().get_handler(*args, **options)
        from ...devserver.application import load_proxy

        application: Any = load_proxy(asgi_application_path())
        self._proxy = application
        self.server_cls = self._make_server_class()
        if options["use_static_handler"] and (grip_settings().debug or options["insecure_serving"]):
            # It looks at HTTP only; WebSockets and the lifespan go by it to the proxy.
            application = ASGIStaticFilesHandler(application)
        return AccessLog(application)

    def on_bind(self, server_port: int) -> None:
        told = StringIO()
        stdout, self.stdout = self.stdout, OutputWrapper(told)
        try:
            super().on_bind(server_port)
        finally:
            self.stdout = stdout
        text = told.getvalue()
        if self._server is not None:
            # So says Django from 6.1 on.
            text = text.replace("Starting WSGI development server", "Starting ASGI development server")
        self.stdout.write(text, ending="")
        for line in _describe_realtime(grip_settings(), self.addr, server_port):
            self.stdout.write(line)

    def _make_server_class(self) -> Any:
        command = self

        class Server(UvicornServer):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                command._server = self

            def on_end(self) -> None:
                leave_within(_LEAVE_WITHIN, command._exit_code)

        return Server

    def _serve(self, run: Callable[[], object]) -> None:
        """Serve, and end at once when told to: at Ctrl-C, by a signal, or because the code has changed."""
        try:
            run()
        except SystemExit as end:
            self._exit_code = end.code if isinstance(end.code, int) else 0
            raise
        finally:
            if self._server is not None:
                ignore_signals()
                self._server.stop(self._part_with_clients)

    def _part_with_clients(self) -> None:
        self._proxy.restarting = self._exit_code == RESTART
        self._proxy.part_with_clients()


def _describe_realtime(settings: GripSettings, address: str, port: int) -> list[str]:
    """Say which engine serves realtime, and how to try it."""
    if settings.proxies:
        uris = [proxy.control_uri or proxy.control_zmq_uri for proxy in settings.proxies]
        where = ", ".join(uri for uri in uris if uri)
        taken = f" published to at {where}" if where else ""
        return [f"Realtime: through the GRIP proxy{taken}. Clients go to it, not here."]
    if not settings.embedded:
        return ["Realtime: none, as there is no GRIP proxy (GRIP_PROXIES) and the embedded one is off (GRIP_EMBEDDED)."]
    if not can_serve():
        return ['Realtime: none, as uvicorn or websockets is not installed: pip install "django-grip[dev]"']
    lines = ["Realtime: embedded GRIP proxy (WebSockets, streams and long-polls work here)."]
    if settings.debug:
        from ...embedded import control_url, curl_line

        lines.append(f"Publish to the channel test: {curl_line(control_url(address, port))}")
    return lines
