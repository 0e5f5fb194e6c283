"""What a stream's answers depend on besides its user: headers that its links have to bring again."""

from __future__ import annotations

import logging
from typing import Any

import jwt
import pytest
from django.db.models import QuerySet
from django.test import Client
from django.utils.cache import patch_vary_headers
from rest_framework.renderers import JSONRenderer

from django_grip import link_headers
from django_grip.testing import GripClient
from django_grip.views import EventStreamView

from ..fake_proxy import PROXIES, proxied
from .models import Ticket
from .project import TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}
RED, BLUE = {**STREAM, "X-Tenant": "red"}, {**STREAM, "X-Tenant": "blue"}


class TenantMiddleware:
    """Reads who the tenant is before any view does."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        request.tenant = request.headers.get("X-Tenant") or request.COOKIES.get("tenant", "")
        response = self.get_response(request)
        patch_vary_headers(response, ["X-Tenant"])
        return response


class TenantTicketViewSet(TicketViewSet):
    renderer_classes = [JSONRenderer]
    live_headers = ["X-Tenant"]
    live_keep_alive = None

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.filter(title__startswith=self.request.tenant)

    def get_live_channels(self) -> list[str]:
        return [f"tickets:{self.request.tenant[:9]}"]


class Feed(EventStreamView):
    live_headers = ["X-Tenant"]

    def get_channels(self) -> list[str]:
        return [f"feed:{self.request.tenant[:9]}"]


@pytest.fixture(autouse=True)
def tenants(settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.{TenantMiddleware.__name__}"]
    Ticket.objects.create(title="red one")
    Ticket.objects.create(title="blue one")
    link_headers._warn.cache_clear()


def titles(stream: Any) -> list[str]:
    return [ticket["title"] for ticket in stream.receive_event().json()["data"]]


def test_a_stream_stays_with_the_tenant_that_a_header_names(routes: Routes, grip_client: GripClient) -> None:
    url = routes.add(TenantTicketViewSet)
    with grip_client.stream(url, headers=RED) as red, grip_client.stream(url, headers=BLUE) as blue:
        assert (titles(red), titles(blue)) == (["red one"], ["blue one"])
        Ticket.objects.create(title="red two")
        for seconds in (1, 60, 60):
            grip_client.advance(seconds)
        assert red.receive_event().json() == {"action": "reset"}
        assert titles(red) == ["red one", "red two"]
        assert (red.read(), blue.read()) == ("", "")
        assert "tickets:red" in red.channels
        assert "tickets:blue" in blue.channels


def test_a_cookie_is_brought_where_it_is_named(
    routes: Routes, grip_client: GripClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TenantTicketViewSet, "live_headers", ["Cookie"])
    grip_client.cookies["tenant"] = "red"
    with grip_client.stream(routes.add(TenantTicketViewSet), headers=STREAM) as stream:
        assert titles(stream) == ["red one"]
        grip_client.advance(1)
        grip_client.advance(60)
        assert stream.read() == ""


def test_the_headers_cannot_be_read_in_the_link(routes: Routes, settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES
    secret = "red-secret"
    response = Client().get(routes.add(TenantTicketViewSet), headers=proxied(**{**STREAM, "X-Tenant": secret}))
    token = response.headers["Grip-Link"].partition("/.grip/")[2].partition("/")[0]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert secret not in repr(claims)
    assert "http-headers" in claims["d"]


def test_more_than_a_link_carries_is_refused_with_the_figures(routes: Routes, settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES
    said = "The headers x-tenant have 1,501 characters; a stream carries 1,500 at the most."
    headers = proxied(**{**STREAM, "X-Tenant": "x" * 1501})
    response = Client().get(routes.add(TenantTicketViewSet), headers=headers)
    assert (response.status_code, response.json()) == (431, {"detail": said})
    response = Client().get(routes.add_view("feed/", Feed.as_view()), headers=headers)
    assert (response.status_code, response.content.decode()) == (431, f"{said}\n")


def test_a_plain_event_stream_brings_them_as_well(routes: Routes, grip_client: GripClient) -> None:
    routes.add_view("feed/", Feed.as_view())
    with grip_client.stream("/feed/", headers=RED) as stream:
        for _ in range(2):
            grip_client.advance(60)
            assert "feed:red" in stream.channels


def test_who_varies_by_a_header_that_is_not_brought_is_told_so_once(
    routes: Routes, grip_client: GripClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = routes.add(TenantTicketViewSet)

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    with grip_client.stream(url, headers=RED):
        assert warnings() == []
    monkeypatch.setattr(TenantTicketViewSet, "live_headers", [])
    for _ in range(2):
        with grip_client.stream(url, headers=RED):
            pass
    assert warnings() == [
        f"The streams of {__name__}.TenantTicketViewSet vary by X-Tenant, which the proxy does not send when it asks "
        "for them again: name it in live_headers."
    ]


@pytest.mark.parametrize("name", ["X-Requested-With", "HX-Request", "HX-Target", "Save-Data", "DNT", "Sec-Fetch-Dest"])
def test_who_varies_by_what_changes_a_page_s_layout_only_is_told_nothing(
    routes: Routes, grip_client: GripClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    class Varying(TenantTicketViewSet):
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().list(request, *args, **kwargs)
            patch_vary_headers(response, [name])
            return response

    with grip_client.stream(routes.add(Varying), headers=RED):
        assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == []


@pytest.mark.parametrize("value", ["X-Tenant", [1], None])
def test_a_value_that_is_no_list_of_names_is_refused(routes: Routes, value: Any) -> None:
    with pytest.raises(Exception, match="live_headers must be a list"):
        routes.add(type("Wrong", (TenantTicketViewSet,), {"live_headers": value}))
