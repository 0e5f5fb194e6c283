"""What the viewsets of these tests show."""

from __future__ import annotations

from django.db import models


class Project(models.Model):
    name = models.CharField(max_length=50)
    slug = models.SlugField(unique=True)

    class Meta:
        app_label = "rest"

    def __str__(self) -> str:
        return self.name


class NamedProject(Project):
    """The same rows by another class."""

    class Meta:
        app_label = "rest"
        proxy = True


class Ticket(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="tickets")
    owner = models.ForeignKey("auth.User", models.CASCADE, null=True, blank=True, related_name="tickets")
    group = models.ForeignKey("auth.Group", models.CASCADE, null=True, blank=True, related_name="tickets")
    watchers = models.ManyToManyField("auth.User", blank=True, related_name="watched")
    title = models.CharField(max_length=100)
    done = models.BooleanField(default=False)

    class Meta:
        app_label = "rest"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title


class Bug(Ticket):
    """A ticket with a table of its own beside that of all tickets."""

    severity = models.IntegerField(default=1)

    class Meta:
        app_label = "rest"


class Work(Ticket):
    """A ticket with a key of its own beside that of all tickets."""

    number = models.AutoField(primary_key=True)
    ticket = models.OneToOneField(Ticket, models.CASCADE, parent_link=True, related_name="work")

    class Meta:
        app_label = "rest"


class Price(models.Model):
    amount = models.DecimalField(primary_key=True, max_digits=9, decimal_places=2)

    class Meta:
        app_label = "rest"


class Moment(models.Model):
    at = models.DateTimeField(primary_key=True)

    class Meta:
        app_label = "rest"
