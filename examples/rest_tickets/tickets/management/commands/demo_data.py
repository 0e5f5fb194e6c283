"""``manage.py demo_data``: three people, two groups, and their first tickets. A second time it changes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand
from django.db import transaction

from tickets.models import Ticket

ALL, VIEW = ("view", "add", "change", "delete"), ("view",)

# Everybody's password is their name. Ada may use the admin; Cy may look, and nothing else.
PEOPLE = [("ada", "support", ALL), ("ben", "sales", ALL), ("cy", "support", VIEW)]

TICKETS = [
    ("support", "ada", "high", "The coffee machine blinks", "Red, twice, then nothing. It is Monday."),
    ("support", None, "normal", "Cannot log in from the train", "Only in tunnels, they say."),
    ("support", "cy", "low", "The manual ends at page 12", "In the middle of a sentence."),
    ("sales", "ben", "normal", "An offer for 300 umbrellas", "Blue ones, by Friday."),
    ("sales", None, "high", "The customer called again", "And again."),
]


class Command(BaseCommand):
    help = "Make three people (ada, ben, cy), two groups (support, sales) and their first tickets."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        for name, group, may in PEOPLE:
            user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": name == "ada"})
            if is_new:
                user.set_password(name)
                user.save()
                user.groups.add(Group.objects.get_or_create(name=group)[0])
                user.user_permissions.set(Permission.objects.filter(codename__in=[f"{verb}_ticket" for verb in may]))
        if not Ticket.objects.exists():
            # In bulk, as nobody need be told of these.
            groups, users = ({str(row): row for row in kind.objects.all()} for kind in (Group, User))
            Ticket.objects.bulk_create(
                Ticket(
                    group=groups[group],
                    assignee=users.get(assignee),
                    priority=priority,
                    title=title,
                    description=description,
                )
                for group, assignee, priority, title, description in TICKETS
            )
