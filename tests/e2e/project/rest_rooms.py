"""Rooms of a chat, each a `WebSocketAPIView`: everybody may listen, and who is known may speak."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.urls import path
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.serializers import CharField, ModelSerializer, Serializer
from rest_framework.throttling import UserRateThrottle

from django_grip.rest import WebSocketAPIView, ws_action
from tests.rest.models import Ticket


class TextSerializer(Serializer[Any]):
    text = CharField(max_length=20)


class TicketSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "done"]


class Room(WebSocketAPIView):
    channels = ["room:{room}"]
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticatedOrReadOnly]
    serializer_class = TextSerializer

    def on_message(self, data: Any) -> None:
        self.publish({"from": self.request.user.username, "text": data["text"]})

    def on_close(self, code: int, reason: str) -> None:
        self.publish({"left": self.request.user.username, "code": code})

    @ws_action("open", serializer_class=TicketSerializer)
    def open_ticket(self, data: Any) -> Any:
        return TicketSerializer(self.serializer.save(owner=self.request.user)).data

    @ws_action("stumble", serializer_class=TicketSerializer)
    def stumble(self, data: Any) -> None:
        self.serializer.save(owner=self.request.user)
        raise NotFound("There is nothing.")

    @ws_action("fail", serializer_class=None)
    def fail(self, data: Any) -> Any:
        if data == "known":
            raise NotFound("There is nothing.")
        raise RuntimeError("this went wrong")


class AsyncRoom(WebSocketAPIView):
    """The same with hooks that are async."""

    channels = ["room:{room}"]
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticatedOrReadOnly]
    serializer_class = TextSerializer

    async def on_message(self, data: Any) -> None:
        await self.apublish({"from": self.request.user.username, "text": data["text"]})

    async def on_close(self, code: int, reason: str) -> None:
        await self.apublish({"left": self.request.user.username, "code": code})

    @ws_action("open", serializer_class=TicketSerializer)
    async def open_ticket(self, data: Any) -> Any:
        ticket = await sync_to_async(self.serializer.save)(owner=self.request.user)
        return TicketSerializer(ticket).data

    @ws_action("stumble", serializer_class=TicketSerializer)
    async def stumble(self, data: Any) -> None:
        await sync_to_async(self.serializer.save)(owner=self.request.user)
        raise NotFound("There is nothing.")

    @ws_action("fail", serializer_class=None)
    async def fail(self, data: Any) -> Any:
        if data == "known":
            raise NotFound("There is nothing.")
        raise RuntimeError("this went wrong")


class ClosedRoom(Room):
    subprotocols = ["chat"]
    permission_classes = [IsAuthenticated]


class ThreeAMinute(UserRateThrottle):
    scope = "rooms"
    rate = "3/min"


class QuietRoom(Room):
    """The opening is one of the three."""

    throttle_classes = [ThreeAMinute]


urlpatterns = [
    path("async/<room>/", AsyncRoom.as_view()),
    path("closed/<room>/", ClosedRoom.as_view()),
    path("quiet/<room>/", QuietRoom.as_view()),
    path("<room>/", Room.as_view()),
]
