"""What the help desk is about."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models


class Ticket(models.Model):
    """A question or a complaint. It belongs to a group, whose members see it, and nobody else."""

    class Status(models.TextChoices):
        OPEN = "open"
        WAITING = "waiting"
        CLOSED = "closed"

    class Priority(models.TextChoices):
        LOW = "low"
        NORMAL = "normal"
        HIGH = "high"

    title = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=2000)
    status = models.CharField(max_length=7, choices=Status, default=Status.OPEN)
    priority = models.CharField(max_length=6, choices=Priority, default=Priority.NORMAL)
    group = models.ForeignKey(Group, models.PROTECT, related_name="tickets")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="tickets"
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title
