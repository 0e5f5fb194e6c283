"""Four views on one page: a board of notes, a chat room, a document and an assistant."""

from __future__ import annotations

import json

from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST

from django_grip.views import EventStreamView, LongPollView, WebSocketView

from . import assistant, models
from .models import Message, Note, Visitor


class Board(EventStreamView):
    """Sticky notes. A GET is the stream of their changes; a POST to the same URL is a change."""

    channels = ["board"]
    keep_alive = 15
    max_message_size = 4096

    def on_open(self):
        return [note.as_event() for note in Note.objects.filter(gone=False)]

    def get_events_since(self, last_id):
        if not last_id.isdecimal() or len(last_id) > 9 or int(last_id) > Note.last_version():
            return None  # it speaks of another board: let it begin anew
        # Two changes made at once may arrive the other way round, so begin a few earlier: to hear of one twice does
        # no harm, as each comes with its version.
        return [note.as_event() for note in Note.objects.filter(version__gt=int(last_id) - 20)]

    def on_message(self, message):
        try:
            note = Note.change(json.loads(message))
        except models.Full:
            return HttpResponse("The board is full: take a note away first.", status=409)
        except (ValidationError, ValueError, OverflowError, RecursionError):
            return HttpResponse("This is not a change of a note.", status=400)
        self.publish(note.as_event())


def notes(request):
    """The changes since ?since=, for a second look: one may come between a stream's first events and its opening."""
    since = request.GET.get("since", "")
    since = int(since) if since.isdecimal() and len(since) < 10 else 0
    return JsonResponse({"notes": [note.as_dict() for note in Note.objects.filter(version__gt=since)]})


class Room(WebSocketView):
    """The chat room, and who is here. What a client is called lives in its connection's state."""

    channels = ["room"]
    encoding = "json"
    max_message_size = 4096
    live_recheck = 20

    def on_open(self):
        window = self.request.GET.get("window")
        if not is_name(window):
            return self.reject(400, "Say which window this is: ?window=<10 letters and digits>")
        self.state["window"] = window
        self.state["name"] = clean_name(self.request.GET.get("name", ""))
        self.note_presence()

    def on_message(self, message):
        match message:
            # What was said since the client was last here. It asks when it is connected, so nothing falls between.
            case {"since": int(last)}:
                missed = Message.objects.filter(pk__gt=last).order_by("-pk")[:100]
                self.send({"messages": [message.as_dict() for message in reversed(missed)], **who_is_here()})
            case {"say": str(text), "key": str(key)} if text.strip() and is_name(key):
                self.say(text.strip()[:500], key)
            case {"pointer": [int() | float() as x, int() | float() as y]}:
                self.publish({"pointer": [x, y], "window": self.state["window"]}, exclude_self=True)
            case {"name": str(name)}:
                self.state["name"] = clean_name(name)
                self.note_presence()

    def say(self, text, key):
        values = {"name": self.state["name"], "text": text}
        said, is_new = Message.objects.get_or_create(key=key, defaults=values)
        answer = {"messages": [said.as_dict()]}
        # A client that has lost its connection says it again: then only it has to hear.
        if is_new:
            self.publish(answer)
        else:
            self.send(answer)

    def on_refresh(self):
        self.note_presence()

    def on_close(self, code, reason):
        # Unless the window is back already, with another connection.
        if Visitor.objects.filter(connection=self.connection).delete()[0]:
            self.publish(who_is_here())

    def note_presence(self):
        if Visitor.is_here(self.state["window"], self.connection, self.state["name"]):
            self.publish(who_is_here())


def who_is_here():
    return {"people": Visitor.all_here()}


def is_name(value):
    """Tell whether it is what a browser may make up to name something."""
    try:
        models.NAME(value)
    except ValidationError:
        return False
    return True


def clean_name(name):
    return " ".join(name.split())[:20] or "Somebody"


class Document(LongPollView):
    """A text that everybody edits. Who has the present version waits for the next one."""

    channels = ["document"]
    timeout = 25

    def get_etag(self):
        return models.Document.read().version

    def get_payload(self):
        return models.Document.read().as_dict()


@require_POST
def save_document(request):
    """Save the next version. Who knows only an older one gets the present one instead, and tries again."""
    known, text = request.POST.get("known", ""), request.POST.get("text", "")
    if not known.isdecimal() or len(known) > 9 or len(text) > 10_000:
        return HttpResponse("Send a text, of at most 10,000 characters, and the version you know.", status=400)
    if not models.Document.save_next(text.replace("\r\n", "\n"), known=int(known)):
        return JsonResponse({"saved": False, **models.Document.read().as_dict()})
    Document.changed()
    return JsonResponse({"saved": True, "version": int(known) + 1})


class Assistant(WebSocketView):
    """Answers a question, word by word, from a thread that outlives the request. Only the asking window hears it."""

    encoding = "json"
    max_message_size = 4096

    def on_message(self, message):
        match message:
            case {"ask": str(question), "key": int(key)}:
                assistant.start(self.connection, key, question.strip()[:200])


@ensure_csrf_cookie
def page(request):
    response = render(request, "board/page.html", {"colors": Note.COLORS})
    # Nothing but what this site serves: no inline script, no other host.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response
