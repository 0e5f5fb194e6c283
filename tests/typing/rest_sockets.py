"""What users of Django REST framework write for WebSockets, and mistakes that mypy tells. Never run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.throttling import ScopedRateThrottle
from typing_extensions import assert_type

from django_grip import Event, Publication
from django_grip.rest import WebSocketAPIView, ws_action


class MessageSerializer(Serializer):  # type: ignore[misc]
    text = CharField()


class Chat(WebSocketAPIView):
    channels = ["room:{room}"]
    permission_classes = [IsAuthenticated]
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "chat"
    serializer_class = MessageSerializer
    encoder = json.JSONEncoder
    subprotocols = ["chat.v1"]
    keep_alive = 30

    def on_open(self) -> HttpResponse | None:
        self.state["nick"] = self.request.user.get_username()
        if self.request.auth is None:
            return self.reject(400)
        return None

    def on_message(self, data: dict[str, Any]) -> None:
        assert_type(self.publish({"nick": self.state["nick"], **data}), Publication)
        assert_type(self.ref, str | int | None)
        assert_type(self.action, str | None)
        self.send(Event(data))

    @ws_action("rename", serializer_class=MessageSerializer)
    def rename(self, data: Mapping[str, str]) -> dict[str, Any]:
        return {"name": data["text"]}

    @ws_action("remove", serializer_class=None)
    def remove(self, data: Any) -> Response:
        return Response(status=204)

    def on_close(self, code: int | None, reason: str) -> None: ...

    def on_error(self, error: Exception) -> None:
        super().on_error(error)

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated()] if self.action == "remove" else super().get_permissions()

    def get_serializer_class(self) -> type[Serializer] | None:
        return MessageSerializer if self.action == "on_message" else super().get_serializer_class()


class AsyncChat(WebSocketAPIView):
    async def on_open(self) -> Response | None:
        return Response({"detail": "full"}, status=409)

    @ws_action("say")
    async def say(self, data: Any) -> None:
        await self.apublish(data)


assert_type(Chat().rename({}), dict[str, Any])

urlpatterns = [
    path("chat/<room>/", Chat.as_view()),
    path("chat/", AsyncChat.as_view(permission_classes=[])),
]

Chat.broadcast({"text": "maintenance at noon"}, room="lobby")


class Mistakes(WebSocketAPIView):
    encoding = 5  # type: ignore[assignment]

    @ws_action  # type: ignore[arg-type]
    def bare(self, data: Any) -> None: ...

    @ws_action("x", "y")  # type: ignore[call-arg, arg-type]
    def more(self, data: Any) -> None: ...

    @ws_action(5)  # type: ignore[arg-type]
    def number(self, data: Any) -> None: ...

    def on_message(self) -> None:  # type: ignore[override]
        self.ref = 1.5  # type: ignore[assignment]

    def on_close(self) -> None:  # type: ignore[override]
        pass
