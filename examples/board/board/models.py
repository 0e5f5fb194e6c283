"""What the board remembers: its notes, what was said, who is here, and one shared document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone

from django_grip import Event

MAX_NOTES = 60
# Seconds. A silent window is heard of every `Room.live_recheck`; nobody tells of those whose proxy was killed.
FORGET_AFTER = 50
# What a browser makes up to name its window, a note or a message.
NAME = RegexValidator(r"\A[a-z0-9]{10}\Z")
FIRST_TEXT = "A document that everybody may edit.\n\nOpen it in two windows and write in both.\n"


class Full(Exception):
    """There is no room for another note."""


def check_share(value: float) -> None:
    # Said so that NaN, too, is refused.
    if not 0 <= value <= 1:
        raise ValidationError("A share is between 0 and 1.")


class Note(models.Model):
    """A sticky note. Each change of any note has the next `version`, so that "what came after 7?" has an answer."""

    COLORS = ["sun", "rose", "sky", "leaf", "plum"]

    id = models.CharField(primary_key=True, max_length=10, validators=[NAME])
    version = models.PositiveIntegerField(unique=True)
    text = models.CharField(max_length=120, blank=True)
    color = models.CharField(max_length=4, default="sun", choices=[(color, color) for color in COLORS])
    # Shares of the way from one edge of the board to the other.
    x = models.FloatField(default=0.5, validators=[check_share])
    y = models.FloatField(default=0.5, validators=[check_share])
    by = models.CharField(max_length=20, blank=True)
    # A note that was taken away is kept: who was not there shall hear of it.
    gone = models.BooleanField(default=False)

    # What browsers send and get, and what it is in JSON.
    FIELDS = {"id": str, "text": str, "color": str, "x": (int, float), "y": (int, float), "by": str, "gone": bool}

    class Meta:
        ordering = ["version"]

    def __str__(self) -> str:
        return self.text

    @classmethod
    def change(cls, fields: Any) -> Note:
        """Change the note named by `fields["id"]`, or make it. The same change twice does no harm.

        Raises: ValidationError, Full.
        """
        if not isinstance(fields, dict) or "id" not in fields:
            raise ValidationError("A change is a JSON object that names its note.")
        if not all(isinstance(value, cls.FIELDS.get(name, ())) for name, value in fields.items()):
            raise ValidationError("There are fields that a note does not have, or that are something else.")
        with transaction.atomic():
            note = cls.objects.filter(pk=fields["id"]).first()
            if note is None:
                note = cls()
                if cls.objects.filter(gone=False).count() >= MAX_NOTES:
                    raise Full
            for name, value in fields.items():
                setattr(note, name, value)
            note.version = cls.last_version() + 1
            note.full_clean()
            note.save()
        return note

    @classmethod
    def last_version(cls) -> int:
        return cls.objects.aggregate(last=models.Max("version"))["last"] or 0

    def as_dict(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.FIELDS} | {"version": self.version}

    def as_event(self) -> Event:
        return Event(self.as_dict(), event="note", id=str(self.version))


class Message(models.Model):
    """Something said in the room. The client makes up its `key`: what is sent twice is said once."""

    key = models.CharField(unique=True, max_length=10, validators=[NAME])
    name = models.CharField(max_length=20)
    text = models.CharField(max_length=500)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    def as_dict(self) -> dict[str, object]:
        return {"id": self.pk, "key": self.key, "name": self.name, "text": self.text, "at": self.at}


class Visitor(models.Model):
    """A window that is open. When it reconnects it has another connection, and is the same window."""

    window = models.CharField(primary_key=True, max_length=10, validators=[NAME])
    connection = models.CharField(max_length=200)
    name = models.CharField(max_length=20)
    seen = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def is_here(cls, window: str, connection: str, name: str) -> bool:
        """Note that a window is there, or still is; tell whether that changes who is here."""
        now = timezone.now()
        lost, _ = cls.objects.filter(seen__lt=now - timedelta(seconds=FORGET_AFTER)).delete()
        known = cls.objects.filter(window=window, name=name).exists()
        cls.objects.update_or_create(window=window, defaults={"connection": connection, "name": name, "seen": now})
        return bool(lost) or not known

    @classmethod
    def all_here(cls) -> list[dict[str, object]]:
        return list(cls.objects.order_by("name", "window").values("window", "name"))


class Document(models.Model):
    """The shared document; there is one. A version is saved only by who knows the one before it."""

    text = models.TextField(default=FIRST_TEXT)
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def read(cls) -> Document:
        return cls.objects.first() or cls()

    @classmethod
    def save_next(cls, text: str, *, known: int) -> bool:
        """Save a new version, if `known` is still the present one."""
        with transaction.atomic():
            document = cls.read()
            if document.version != known:
                return False
            document.text, document.version = text, known + 1
            document.save()
        return True

    def as_dict(self) -> dict[str, object]:
        return {"text": self.text, "version": self.version}
