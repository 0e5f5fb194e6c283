from __future__ import annotations

from django.contrib.auth.models import Group, User
from rest_framework import serializers

from .models import Ticket


class TicketSerializer(serializers.ModelSerializer):
    group = serializers.SlugRelatedField("name", queryset=Group.objects.all())
    assignee = serializers.SlugRelatedField("username", queryset=User.objects.all(), allow_null=True, required=False)

    class Meta:
        model = Ticket
        fields = ["id", "title", "description", "status", "priority", "group", "assignee"]
