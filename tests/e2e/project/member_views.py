"""Users who log in and out, and lose what they had: accounts on demand, in a database that is made on demand."""

from __future__ import annotations

import fcntl
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def log_in(request: HttpRequest, name: str) -> HttpResponse:
    """POST: log a user in, who may be new; with ``?permission=`` given."""
    make_database()
    user, _ = get_user_model().objects.get_or_create(username=name, defaults={"password": "unusable"})
    for codename in request.GET.getlist("permission"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("in\n")


@csrf_exempt
def log_out(request: HttpRequest) -> HttpResponse:
    """POST: end this session."""
    logout(request)
    return HttpResponse("out\n")


@csrf_exempt
def change(request: HttpRequest, name: str) -> HttpResponse:
    """POST: what happens to an account while it is in use: ``?what=password``, ``deactivate`` or ``permissions``."""
    user: Any = get_user_model().objects.get(username=name)
    what = request.GET["what"]
    if what == "password":
        user.set_password("another")
    elif what == "deactivate":
        user.is_active = False
    elif what == "permissions":
        user.user_permissions.clear()
    user.save()
    return HttpResponse("changed\n")


def make_database() -> None:
    """Make this site's database, unless it is there."""
    made = settings.DIRECTORY / "database-made"
    with (settings.DIRECTORY / "database-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            call_command("migrate", run_syncdb=True, verbosity=0)
            made.touch()


urlpatterns = [
    path("log-in/<name>/", log_in),
    path("log-out/", log_out),
    path("change/<name>/", change),
]
