"""Actions that save where nobody hears of it are warned of, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.decorators import method_decorator
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from django_grip.rest.bypasses import find_bypasses

from .models import Ticket
from .project import TicketSerializer, TicketViewSet

ACTIONS = ["list", "create", "retrieve", "update", "partial_update", "destroy", "close"]


class Base(TicketViewSet):
    pass


class SavesTheSerializer(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = TicketSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=201)


class SavesTheModel(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response({"id": Ticket.objects.create(**request.data).pk})


class SavesWithin(Base):
    @method_decorator(transaction.atomic)
    def update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        def save() -> None:
            ticket.save()

        ticket = self.get_object()
        transaction.on_commit(save)
        return Response()


class SavesElsewhere(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self.remove(self.get_object())
        return Response(status=204)

    def remove(self, ticket: Ticket) -> None:
        ticket.delete()


class UpdatesAsAWhole(Base):
    def partial_update(self, request: Any, pk: Any = None) -> Response:
        # As it is written, it might be the framework's update() that is called.
        Ticket.objects.filter(pk=pk).update(**request.data)
        return Response()


class Refuses(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise MethodNotAllowed(request.method)

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response({"detail": "Tickets stay."}, status=405)


class CallsTheHook(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        request.session.save()
        self.perform_create(serializer)
        return Response(serializer.data)


class CallsSuper(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self.get_object().watchers.all().delete()
        return super().destroy(request, *args, **kwargs)


class CallsTheParent(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self.get_object().watchers.all().delete()
        return ModelViewSet.destroy(self, request, *args, **kwargs)


class CallsAnother(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        Ticket.objects.get_or_create(pk=request.data["id"])
        return self.update(request, *args, **kwargs)


class CallsByAnother(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        request.session.save()
        return self.make(TicketSerializer(data=request.data))

    def make(self, serializer: Any) -> Response:
        self.perform_create(serializer)
        return Response(serializer.data)


class Tells(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        tickets = self.get_queryset().filter(pk=self.kwargs["pk"])
        self.publish_changes(tickets, action="deleted")
        tickets.delete()
        return Response(status=204)


class SavesTheSession(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        request.session.save()
        return Response(status=405)


class DeletesFromACache(Base):
    def update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        cache.delete("tickets")
        return Response(status=202)


class SavesAFile(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response({"name": default_storage.save("upload", request.FILES["file"])}, status=202)


def announce(ticket: Ticket) -> None:
    TicketViewSet.publish_changes([ticket])


def touch(ticket: Ticket) -> None:
    ticket.save()


class Announcer:
    def announce_one(self, ticket: Ticket) -> None:
        TicketViewSet.publish_changes([ticket])

    @staticmethod
    def announce_all() -> None:
        TicketViewSet.publish_invalidate()

    def touch(self, ticket: Ticket) -> None:
        ticket.save()


announcer = Announcer()


class TellsByAFunction(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        announce(serializer.save())
        return Response(serializer.data)


class TellsByAFunctionElsewhere(Base):
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self.remove(self.get_object())
        return Response(status=204)

    def remove(self, ticket: Ticket) -> None:
        ticket.delete()
        transaction.on_commit(lambda: announce(ticket))


class TellsByAService(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        announcer.announce_one(Ticket.objects.create(**request.data))
        return Response()

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self.get_object().delete()
        Announcer.announce_all()
        return Response(status=204)


class CallsWhoTellsNothing(Base):
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        touch(Ticket.objects.create(**request.data))
        return Response()

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        announcer.touch(ticket := self.get_object())
        ticket.delete()
        return Response(status=204)


@pytest.mark.parametrize(
    ("viewset", "found"),
    [
        (TicketViewSet, []),
        (SavesTheSerializer, [("create", "perform_create")]),
        (SavesTheModel, [("create", "perform_create")]),
        (SavesWithin, [("update", "perform_update")]),
        (SavesElsewhere, [("destroy", "perform_destroy")]),
        (UpdatesAsAWhole, []),
        (Refuses, []),
        (CallsTheHook, []),
        (CallsSuper, []),
        (CallsTheParent, []),
        (CallsAnother, []),
        (CallsByAnother, []),
        (Tells, []),
        (SavesTheSession, []),
        (DeletesFromACache, []),
        (SavesAFile, []),
        (TellsByAFunction, []),
        (TellsByAFunctionElsewhere, []),
        (TellsByAService, []),
        (CallsWhoTellsNothing, [("create", "perform_create"), ("destroy", "perform_destroy")]),
    ],
)
def test_an_action_that_saves_past_what_is_heard_is_found(viewset: Any, found: list[tuple[str, str]]) -> None:
    assert list(find_bypasses(viewset, ACTIONS)) == found


def test_what_is_not_routed_is_not_looked_at() -> None:
    assert list(find_bypasses(SavesTheSerializer, ["list", "update"])) == []
