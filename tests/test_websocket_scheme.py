"""A proxy names a WebSocket's scheme wss; Django shall know it for https."""

from __future__ import annotations

import pytest
from django.http import HttpResponse

from .fake_proxy import EVENTS_TYPE, events_of, proxied

pytest_plugins = ["tests.fixtures"]

SECURITY = "django.middleware.security.SecurityMiddleware"


def accept(request):
    request.wscontext.accept()
    response = HttpResponse()
    response["X-Secure"] = str(request.is_secure())
    return response


@pytest.fixture
def opened(site, settings):
    """Open a WebSocket, with further headers."""
    settings.MIDDLEWARE = ["django_grip.GripMiddleware", SECURITY]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    site.route("ws/", accept)

    def open_websocket(**headers):
        headers = proxied(content_type=EVENTS_TYPE, connection_id="c1", **headers)
        return site.request("POST", "/ws/", body=b"OPEN\r\n", headers=headers)

    return open_websocket


def test_a_secure_websocket_is_not_redirected_to_https(opened, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = opened(x_forwarded_proto="wss")
    assert events_of(response) == [("OPEN", None)]
    assert response["X-Secure"] == "True"


@pytest.mark.parametrize(("told", "secure"), [("wss", "True"), ("https", "True"), ("ws", "False"), ("http", "False")])
def test_django_knows_the_scheme_by_whatever_name(opened, told, secure):
    assert opened(x_forwarded_proto=told)["X-Secure"] == secure


def test_a_page_of_the_site_itself_is_known_behind_a_tls_terminator(opened):
    assert opened(x_forwarded_proto="wss", origin="https://testserver").status_code == 200
    assert opened(x_forwarded_proto="wss", origin="http://testserver").status_code == 403


def test_a_server_that_puts_the_header_into_the_scheme_is_understood(opened, site):
    if not site.is_async:
        site.scheme = "https"  # as WSGI servers name it
    else:
        site.scheme = "wss"
    assert opened(origin="https://testserver")["X-Secure"] == "True"


def test_an_ordinary_request_keeps_its_header(site, settings):
    settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    site.route("plain/", lambda request: HttpResponse(request.META["HTTP_X_FORWARDED_PROTO"]))
    assert site.request("GET", "/plain/", headers=proxied(x_forwarded_proto="wss")).content == b"wss"
