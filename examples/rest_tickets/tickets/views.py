"""The API of the help desk, which is live, and the page that shows it."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.contrib.auth.views import LoginView
from rest_framework.decorators import action
from rest_framework.response import Response

from django_grip.rest import LiveModelViewSet

from .models import Ticket
from .serializers import TicketSerializer


class TicketViewSet(LiveModelViewSet):
    """The tickets of your groups.

    This URL speaks plain JSON, long-polls, Server-Sent Events and WebSockets.
    """

    queryset = Ticket.objects.select_related("group", "assignee")
    serializer_class = TicketSerializer
    # Those who share a channel may see the same tickets, so the tickets themselves are sent; see the two methods below.
    live_serializer_class = TicketSerializer
    # What is changed in the admin or in a shell is heard of, too.
    live_signals = True

    def get_queryset(self):
        return super().get_queryset().filter(group__in=self.request.user.groups.all())

    def get_live_channels(self):
        return [f"tickets:{group.pk}" for group in self.request.user.groups.all()]

    def get_publish_channels(self, ticket):
        return [f"tickets:{ticket.group_id}"]

    @action(detail=True, methods=["post"])
    def close(self, request, pk=None):
        """Close a ticket. An action of one's own is an action of the WebSocket, too."""
        ticket = self.get_object()
        ticket.status = Ticket.Status.CLOSED
        ticket.save()
        return Response(self.get_serializer(ticket).data)


class Page(LoginView):
    """The page. Its buttons log in as one of the people that `manage.py demo_data` makes."""

    template_name = "tickets/page.html"

    def get_context_data(self, **kwargs):
        mine = self.request.user.groups.values_list("name", flat=True) if self.request.user.is_authenticated else []
        return super().get_context_data(
            **kwargs,
            my_groups=list(mine),
            groups=Group.objects.order_by("-name"),
            people=User.objects.filter(username__in=["ada", "ben", "cy"]).order_by("pk").prefetch_related("groups"),
        )

    def dispatch(self, request, *args, **kwargs):
        response = super().dispatch(request, *args, **kwargs)
        # Nothing but what this site serves: no inline script, no other host.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        return response
