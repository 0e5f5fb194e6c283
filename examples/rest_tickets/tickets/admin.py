from __future__ import annotations

from django.contrib import admin

from .models import Ticket


@admin.register(Ticket)
class TicketAdmin(admin.ModelAdmin):
    list_display = ["title", "status", "priority", "group", "assignee"]
    list_filter = ["group", "status"]
