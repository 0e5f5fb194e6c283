"""What is measured of this package: a room and an echo on the embedded engine."""

from __future__ import annotations

from django.conf import settings

settings.configure(
    SECRET_KEY="benchmarks-only-0123456789-abcdefghij-klmnop",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django_grip.GripMiddleware"],
    INSTALLED_APPS=["django_grip"],
    GRIP_EMBEDDED=True,
)

from django_grip.asgi import get_asgi_application  # noqa: E402 - settings come first

application = get_asgi_application()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from django_grip.views import WebSocketView  # noqa: E402


class Room(WebSocketView):
    channels = ["room"]

    async def on_message(self, message: str) -> None:
        self.publish(message)


class Echo(WebSocketView):
    async def on_message(self, message: str) -> None:
        self.send(message)


class SyncEcho(WebSocketView):
    def on_message(self, message: str) -> None:
        self.send(message)


async def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ready")


urlpatterns = [
    path("ready/", ready),
    path("room/", Room.as_view()),
    path("echo/", Echo.as_view()),
    path("sync-echo/", SyncEcho.as_view()),
]
