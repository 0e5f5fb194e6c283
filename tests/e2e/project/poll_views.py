"""Long-poll views on documents that are files of the application's directory."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from django_grip import Event, publish
from django_grip.views import LongPollView

from . import gates, journal


def _file(name: str) -> Any:
    return settings.DIRECTORY / f"document-{name}"


def _store(name: str, text: str) -> None:
    # At once: who reads meanwhile gets the one or the other.
    new = settings.DIRECTORY / f"new-{uuid.uuid4().hex}"
    new.write_text(text)
    new.replace(_file(name))


def _read(name: str) -> str:
    return _file(name).read_text() if _file(name).exists() else ""


class Document(LongPollView):
    """A file's text, told to each reader by the name it gives as ``?who=``."""

    channels = ["document:{name}"]
    timeout = 5

    def get_etag(self) -> str:
        return _read(self.kwargs["name"])

    def get_payload(self) -> Any:
        return {"for": self.request.GET.get("who", ""), "text": _read(self.kwargs["name"])}


class AsyncDocument(LongPollView):
    """The same with async methods."""

    channels = ["document:{name}"]
    timeout = 5

    async def get_etag(self) -> str:
        return _read(self.kwargs["name"])

    async def get_payload(self) -> Any:
        return {"for": self.request.GET.get("who", ""), "text": _read(self.kwargs["name"])}


class PatientDocument(Document):
    """Its time-out is longer than any test waits."""

    timeout = 300


class NotedDocument(PatientDocument):
    """Notes whenever a reader is, or goes on being, let wait."""

    def get_channels(self) -> Any:
        journal.append(self.kwargs["name"], ["waits", self.request.GET.get("who", "")])
        return super().get_channels()


class SlowDocument(PatientDocument):
    """Stops between the reading of the ETag and the hold, at the gate."""

    def get_channels(self) -> Any:
        name = self.kwargs["name"]
        if not self.request.grip.is_replay:
            journal.append(name, ["has read the ETag"])
            gates.pass_through(name)
        return super().get_channels()


class HintedDocument(PatientDocument):
    """Stops there as well, if it is asked while a document of its name and "-stop" has a text."""

    def get_channels(self) -> Any:
        name = self.kwargs["name"]
        journal.append(name, ["has read the ETag"])
        if _read(f"{name}-stop"):
            journal.append(name, ["stops"])
            gates.pass_through(name)
        return super().get_channels()


class Hashed(LongPollView):
    """Has no version of its own: what it would answer is hashed."""

    channels = ["document:{name}"]
    timeout = 300

    def get_payload(self) -> str:
        return _read(self.kwargs["name"])


class MemberDocument(LoginRequiredMixin, PatientDocument):
    """Only for who is logged in."""

    def get_payload(self) -> Any:
        return {"for": self.request.user.get_username(), "text": _read(self.kwargs["name"])}


@csrf_exempt
def write(request: HttpRequest, name: str) -> HttpResponse:
    """POST: a new text, which waiting readers are told of by ``?by=``."""
    _store(name, request.POST["text"])
    by = request.GET.get("by", "changed")
    if by == "changed":
        Document.changed(name=name, options={"blocking": True})
    elif by == "event":
        publish(f"document:{name}", Event({"text": request.POST["text"]}), blocking=True)
    return HttpResponse("written\n")


@csrf_exempt
async def async_write(request: HttpRequest, name: str) -> HttpResponse:
    """The same with `achanged`."""
    _store(name, request.POST["text"])
    await AsyncDocument.achanged(name=name)
    return HttpResponse("written\n")


urlpatterns = [
    path("document/<name>/", Document.as_view()),
    path("async-document/<name>/", AsyncDocument.as_view()),
    path("patient/<name>/", PatientDocument.as_view()),
    path("noted/<name>/", NotedDocument.as_view()),
    path("slow/<name>/", SlowDocument.as_view()),
    path("hinted/<name>/", HintedDocument.as_view()),
    path("hashed/<name>/", Hashed.as_view()),
    path("member-document/<name>/", MemberDocument.as_view()),
    path("write/<name>/", write),
    path("async-write/<name>/", async_write),
]
