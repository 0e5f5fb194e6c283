"""The examples that the browser shows."""

from __future__ import annotations

from .running import RunningExample


class RunningBoard(RunningExample):
    name = "board"
    database_variable = "BOARD_DATABASE"
    tables = ["board_note", "board_message", "board_visitor", "board_document"]


class RunningDesk(RunningExample):
    name = "rest_tickets"
    database_variable = "TICKETS_DATABASE"
    preparations = [["migrate", "--verbosity", "0"], ["demo_data"]]
    tables = ["tickets_ticket", "django_session", "django_admin_log"]
