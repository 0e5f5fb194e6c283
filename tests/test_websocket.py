"""WebSocket-over-HTTP at the middleware: what is let in (DESIGN decision 2), what a view's answer becomes (8)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.http import (
    FileResponse,
    Http404,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.request import HttpRequest
from django.template import engines
from django.template.response import SimpleTemplateResponse
from django.views.debug import ExceptionReporter

from django_grip import set_hold_stream, websocket_only

from .fake_proxy import (
    DISCONNECT,
    EVENTS_TYPE,
    OPEN,
    PING,
    binary,
    close,
    controls,
    events_of,
    grip_sig,
    proxied,
    sent,
    text,
)

pytest_plugins = ["tests.fixtures"]

NOT_EXACT = f'The Content-Type is not, byte for byte, "{EVENTS_TYPE}".'
NOT_SIGNED = "WebSocket events are taken only from the GRIP proxy, and this request is not signed by it."
SECURITY = "django_grip.security"


def accept(request):
    request.wscontext.accept()
    return HttpResponse()


def echo(request):
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
    while ws.can_recv():
        message = ws.recv()
        if message is None:
            ws.close()
            break
        ws.send(message)
    return HttpResponse()


def must_not_be_called(request):
    raise AssertionError("this request was not for a view")


# -- what is let in ----------------------------------------------------------------------------------------------------

NEAR_SPELLINGS = [
    "Application/websocket-events",
    "application/WebSocket-Events",
    "APPLICATION/WEBSOCKET-EVENTS",
    " application/websocket-events",
    "application/websocket-events ",
    "\tapplication/websocket-events",
    "application/websocket-events\t",
    "application/websocket-events\x0b",
    "application/websocket-events\x0c",
    "application/websocket-events\x1c",
    "application /websocket-events",
    "application/ websocket-events",
    "application/websocket-events;",
    "application/websocket-events ;",
    "application/websocket-events; charset=utf-8",
    "application/websocket-events ; a=b",
    "application/websocket-events;a=b",
    "application/websocket-events,",
    "application/websocket-events, text/plain",
    "text/plain, application/websocket-events",
    "application/websocket-events,application/websocket-events",
    '"application/websocket-events"',
    "'application/websocket-events'",
    'text/plain; a="application/websocket-events"',
    b"application/websocket-events\xa0",
    b"application/websocket-events\x85",
    b"\xc2\xa0application/websocket-events",
    b"application/websocket-events; a=\xff",
]


@pytest.mark.parametrize("content_type", NEAR_SPELLINGS, ids=repr)
@pytest.mark.parametrize("by", ["proxy", "client"])
def test_a_near_spelling_of_the_type_is_refused_before_any_view(site, logged, content_type, by):
    site.route("ws/", must_not_be_called)
    headers = {"Connection-Id": "c1", "Meta-Role": "admin", **(proxied() if by == "proxy" else {})}
    response = site.post("/ws/", b"OPEN\r\n", content_type=content_type, headers=headers)
    assert (response.status_code, response.content.decode()) == (400, f"{NOT_EXACT}\n")
    assert logged(SECURITY) == [f"Refused with 400: POST /ws/: {NOT_EXACT}"]


def test_the_type_given_twice_is_refused(site):
    site.route("ws/", must_not_be_called)
    headers = [*proxied(connection_id="c1").items(), ("Content-Type", EVENTS_TYPE), ("Content-Type", EVENTS_TYPE)]
    assert site.post("/ws/", b"OPEN\r\n", headers=headers).content.decode() == f"{NOT_EXACT}\n"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/websocket", "text/websocket-events", "application/websocketevents"]
)
def test_any_other_type_is_an_ordinary_request(site, content_type):
    site.route("look/", lambda request: HttpResponse(str(request.wscontext)))
    response = site.post("/look/", b"OPEN\r\n", content_type=content_type, headers=proxied(connection_id="c1"))
    assert response.content == b"None"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_events_come_by_post_alone(site, logged, method):
    site.route("ws/", must_not_be_called)
    headers = {**proxied(connection_id="c1"), "Content-Type": EVENTS_TYPE}
    response = site.request(method, "/ws/", body=b"OPEN\r\n", headers=headers)
    text = f"WebSocket events come by POST, not by {method}."
    assert (response.status_code, response.content.decode()) == (400, f"{text}\n")
    assert logged(SECURITY) == [f"Refused with 400: {method} /ws/: {text}"]


@pytest.mark.parametrize("signature", [None, "", "a.b.c", grip_sig("another-key-that-is-long-enough-0123456789")])
def test_events_that_are_not_signed_are_refused_whoever_they_say_they_are(site, logged, signature):
    site.route("ws/", must_not_be_called)
    headers = {"Connection-Id": "c1", "Meta-Role": "admin", "Grip-Last": "room; last-id=5"}
    if signature is not None:
        headers["Grip-Sig"] = signature
    response = site.post("/ws/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers=headers)
    assert (response.status_code, response.content.decode()) == (403, f"{NOT_SIGNED}\n")
    assert logged(SECURITY) == [f"Refused with 403: POST /ws/: {NOT_SIGNED}"]
    assert logged("django.request") == []


@pytest.mark.parametrize("headers", [{}, {"Connection-Id": ""}])
def test_events_of_no_connection_are_refused(site, headers):
    site.route("ws/", must_not_be_called)
    response = site.post("/ws/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers={**proxied(), **headers})
    assert (response.status_code, response.content) == (
        400,
        b"A request with WebSocket events needs a Connection-Id.\n",
    )


BAD_BODIES = {
    b"OPEN": "the body is cut off: it does not end with CRLF",
    b"OPEN\r\nTEXT 5\r\nhe\r\n": "event 2: the content is cut off: not the 5 bytes announced",
    b"NONSENSE\r\n": "event 1: unknown type 'NONSENSE'",
    b"TEXT 1_0\r\n0123456789abcdef\r\n": "event 1: 'TEXT 1_0' is not a type, or a type and a length in hex",
    b"CLOSE\r\nTEXT 1\r\na\r\n": "event 2: TEXT follows CLOSE",
    b"CLOSE 1\r\na\r\n": "event 1: CLOSE has one byte of content; a code takes two",
    b"\xff\xfe\r\n": "event 1: '\\xff\\xfe' is not a type, or a type and a length in hex",
}


@pytest.mark.parametrize(("body", "problem"), BAD_BODIES.items(), ids=repr)
def test_a_body_that_is_not_well_formed_is_a_400(site, body, problem):
    site.route("ws/", must_not_be_called)
    response = site.post("/ws/", body, content_type=EVENTS_TYPE, headers=proxied(connection_id="c1"))
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert response.content.decode() == f"The request breaks the GRIP protocol: {problem}.\n"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (("Meta-Nick", b"top-secret-\xff"), "the header Meta-Nick is not UTF-8"),
        (("Content-Bytes-Replayed", "-1"), "Content-Bytes-Replayed is not a number of bytes"),
        (("Content-Bytes-Replayed", "1" * 10), "Content-Bytes-Replayed is not a number of bytes"),
        (("Content-Bytes-Replayed", "٣"), "Content-Bytes-Replayed is not a number of bytes"),
    ],
)
def test_a_header_of_a_websocket_that_does_not_parse_is_a_400_and_its_value_is_not_shown(site, header, problem):
    site.route("ws/", must_not_be_called)
    headers = [*proxied(connection_id="c1").items(), header]
    response = site.post("/ws/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers=headers)
    assert response.content.decode() == f"The request breaks the GRIP protocol: {problem}.\n"
    assert response.status_code == 400


def test_events_too_many_for_django_close_the_websocket(site, settings, logged):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    site.route("ws/", must_not_be_called)
    response = site.connect("/ws/").send(text("a" * 200))
    assert response.status_code == 200
    assert events_of(response) == [("CLOSE", b"\x03\xf1too big")]
    assert logged() == [
        "The WebSocket at /ws/ is closed with 1009: its events are more than DATA_UPLOAD_MAX_MEMORY_SIZE."
    ]


def test_a_body_that_breaks_off_is_a_400(site, monkeypatch):
    def read(self, *args):
        raise OSError("the proxy is gone")

    monkeypatch.setattr(HttpRequest, "read", read)
    site.route("ws/", must_not_be_called)
    response = site.connect("/ws/").open()
    assert (response.status_code, response.content) == (400, b"The body of the request broke off.\n")


def test_a_hundred_thousand_empty_messages_are_taken(site):
    def count(request):
        ws, messages = request.wscontext, 0
        while ws.can_recv():
            messages += ws.recv() == ""
        ws.send(str(messages))
        return HttpResponse()

    site.route("ws/", count)
    assert sent(events_of(site.connect("/ws/").send(*[text("")] * 100_000))) == [b"100000"]


def test_a_plain_request_does_not_reach_a_websocket_view(site):
    site.route("ws/", websocket_only(must_not_be_called))
    for headers in ({}, proxied()):
        for method in ("GET", "POST"):
            response = site.request(method, "/ws/", headers=headers)
            assert (response.status_code, response.content) == (400, b"Request must contain WebSocket events.\n")


def test_a_websocket_that_comes_directly_gets_a_501(site, logged):
    site.route("ws/", websocket_only(must_not_be_called))
    response = site.get("/ws/", headers={"Upgrade": "WebSocket", "Connection": "Upgrade"})
    assert (response.status_code, response.content.decode()) == (
        501,
        "This address works only behind a GRIP proxy, such as Pushpin, and this request came directly.\n",
    )
    # As an error it would go to the admins by mail.
    assert logged("django.request") == []


def test_who_develops_without_our_runserver_is_told_what_to_do(site, settings):
    settings.DEBUG = True
    settings.GRIP_PROXIES = []
    site.route("ws/", websocket_only(must_not_be_called))
    response = site.get("/ws/", headers={"Upgrade": "WebSocket", "Connection": "Upgrade"})
    assert response.status_code == 501
    assert b'put "django_grip" first in INSTALLED_APPS' in response.content


def test_a_route_of_the_proxys_that_lacks_over_http_gets_a_501_that_says_so(site, logged):
    site.route("ws/", websocket_only(must_not_be_called))
    response = site.get("/ws/", headers={**proxied(), "Upgrade": "websocket"})
    text = "The GRIP proxy sends WebSockets to this address as they are; its route needs the option over_http."
    assert (response.status_code, response.content.decode()) == (501, f"{text}\n")
    assert logged(SECURITY) == [f"Refused with 501: GET /ws/: {text}"]


# -- what error reports show -------------------------------------------------------------------------------------------


# Here, as reports quote the source around an error.
SECRETS = [f"secret-{number}" for number in range(4)]


def test_no_error_report_shows_the_signature_the_meta_or_the_messages(site, settings):
    reports: list[str] = []

    def fail(request):
        ws, grip = request.wscontext, request.grip  # noqa: F841 - so that the report has them
        request.grip.start_instruct().meta["user"] = SECRETS[0]
        try:
            raise RuntimeError("of the view's own")
        except RuntimeError:
            for debug in (False, True):
                settings.DEBUG = debug
                reporter = ExceptionReporter(request, *sys.exc_info())
                reports.extend([reporter.get_traceback_text(), reporter.get_traceback_html()])
            raise

    settings.MIDDLEWARE = [f"{__name__}.HeaderReader", "django_grip.GripMiddleware"]
    settings.DEBUG = True
    site.route("ws/", fail)
    signature = grip_sig()
    headers = {"grip_sig": signature, "meta_nick": SECRETS[1], "meta_state_2": SECRETS[2]}
    for accept in ("text/html", "application/json"):
        response = site.connect("/ws/").open(text(SECRETS[3]), **headers, accept=accept)
        assert response.status_code == 500
        reports.append(response.content.decode())
    assert len(reports) == 10
    for report in reports:
        assert "of the view&#x27;s own" in report or "of the view's own" in report
        assert not [secret for secret in SECRETS if secret in report]
        assert signature not in report
    assert any("WebSocketSession" in report for report in reports)


class HeaderReader:
    """A middleware that looks at the headers before ours does, as many do."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        assert "Grip-Sig" in request.headers
        response = self.get_response(request)
        assert not [name for name in request.headers if name.startswith(("Meta-", "Grip-Sig"))]
        return response


# -- an opening --------------------------------------------------------------------------------------------------------


def make_answers():
    template = engines["django"].from_string("rendered")
    return {
        "plain": HttpResponse(),
        "with a body": HttpResponse("nobody reads it"),
        "created": HttpResponse("nobody reads it", status=201),
        "no content": HttpResponse(status=204),
        "JSON": JsonResponse({}),
        "template": SimpleTemplateResponse(template),
        "streaming": StreamingHttpResponse(iter([b"never read"])),
        "file": FileResponse(b"never read"),
    }


@pytest.mark.parametrize(
    "kind", ["plain", "with a body", "created", "no content", "JSON", "template", "streaming", "file"]
)
def test_whatever_succeeds_accepts_and_its_headers_and_cookies_reach_the_client(site, settings, kind):
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]

    def view(request):
        request.wscontext.accept()
        request.wscontext.send("welcome")
        response = make_answers()[kind]
        response["Sec-WebSocket-Protocol"] = "chat.v1"
        response["Content-Encoding"] = "identity"
        response.set_cookie("seat", "5")
        return response

    site.route("ws/", view)
    response = site.connect("/ws/").open()
    assert (response.status_code, response["Content-Type"]) == (200, EVENTS_TYPE)
    assert response.content == b"OPEN\r\nTEXT 9\r\nm:welcome\r\n"
    assert response["Content-Length"] == str(len(response.content))
    assert response["Sec-WebSocket-Protocol"] == "chat.v1"
    assert response["Sec-WebSocket-Extensions"] == "grip"
    assert response.cookies["seat"].value == "5"
    assert "Content-Encoding" not in response


def test_what_a_view_held_open_is_closed_with_the_response(site):
    closed = []

    class Source:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"never read"])

        def close(self) -> None:
            closed.append(True)

    def view(request):
        request.wscontext.accept()
        return StreamingHttpResponse(Source())

    site.route("ws/", view)
    assert events_of(site.connect("/ws/").open()) == [("OPEN", None)]
    assert closed == [True]


def test_a_body_that_reaches_nobody_is_told_of(site, logged):
    def view(request):
        request.wscontext.accept()
        return HttpResponse("hello?")

    site.route("ws/", view)
    site.connect("/ws/").open()
    assert logged() == [
        "The view at /ws/ answered WebSocket events with a body, which reaches nobody; use wscontext.send()."
    ]


def test_a_hold_for_websocket_events_is_told_of(site, logged):
    def view(request):
        request.wscontext.accept()
        set_hold_stream(request, "room")
        return HttpResponse()

    site.route("ws/", view)
    response = site.connect("/ws/").open()
    assert not [name for name in response.headers if name.startswith("Grip-")]
    assert logged() == [
        "The view at /ws/ set a hold for WebSocket events, which does nothing; use wscontext.subscribe()."
    ]


def test_a_view_may_refuse_with_a_response_of_its_own(site):
    def view(request):
        request.wscontext.subscribe("never")
        response = HttpResponse("full up", status=503, headers={"Retry-After": "60"})
        response.set_cookie("seat", "none")
        return response

    site.route("ws/", view)
    response = site.connect("/ws/").open()
    assert (response.status_code, response.content, response["Retry-After"]) == (503, b"full up", "60")
    assert response.cookies["seat"].value == "none"
    assert response["Content-Type"] == "text/html; charset=utf-8"


def test_a_view_that_accepts_and_then_fails_refuses(site):
    def view(request):
        request.wscontext.accept()
        raise PermissionDenied

    site.route("ws/", view)
    assert site.connect("/ws/").open().status_code == 403


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionDenied, 403), (Http404, 404), (BadRequest, 400), (RuntimeError, 500)]
)
def test_an_exception_refuses_with_the_status_it_always_has(site, error, status):
    def view(request):
        raise error

    site.route("ws/", view)
    assert site.connect("/ws/").open().status_code == status


def test_who_does_not_accept_refuses_with_a_403_and_a_word(site, logged):
    site.route("ws/", lambda request: HttpResponse("sorry"))
    response = site.connect("/ws/").open()
    assert (response.status_code, response.content) == (403, b"sorry")
    assert logged() == ["The view at /ws/ did not accept the WebSocket; it is refused with 403."]


def test_who_closes_instead_of_accepting_means_to_refuse(site, logged):
    def view(request):
        request.wscontext.close()
        return HttpResponse(status=204)

    site.route("ws/", view)
    assert site.connect("/ws/").open().status_code == 403
    assert logged() == []


@pytest.mark.parametrize("status", [302, 303])
def test_a_redirect_to_the_log_in_page_becomes_a_401(site, status):
    site.route("ws/", lambda request: HttpResponseRedirect("/login/", status=status))
    response = site.connect("/ws/").open()
    assert (response.status_code, response.content) == (401, b"Log in first.\n")
    assert "Location" not in response


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_to_another_address_is_passed_on(site, status):
    site.route("ws/", lambda request: HttpResponse(status=status, headers={"Location": "/there/"}))
    response = site.connect("/ws/").open()
    assert (response.status_code, response["Location"]) == (status, "/there/")


def test_messages_and_pings_may_come_behind_the_opening(site):
    site.route("ws/", echo)
    response = site.connect("/ws/").open(text("a"), PING, binary(b"b"), close(1000))
    assert events_of(response) == [
        ("OPEN", None),
        ("PONG", None),
        ("TEXT", b"m:a"),
        ("TEXT", b"m:b"),
        ("CLOSE", b"\x03\xe8"),
    ]


def test_an_opening_with_a_keep_alive_that_cannot_be_is_a_500(site):
    def view(request):
        request.wscontext.accept()
        request.wscontext.keep_alive_interval = "soon"
        return HttpResponse()

    site.route("ws/", view)
    assert site.connect("/ws/").open().status_code == 500


# -- after the opening -------------------------------------------------------------------------------------------------


def responds(status: int):
    return lambda request: HttpResponse("page", status=status, headers={"Location": "/x/"})


def raises(error: type[Exception]):
    def view(request):
        raise error("broken")

    return view


@pytest.mark.parametrize(
    ("answer", "code", "reason", "status"),
    [
        (responds(302), 4401, b"log in again", 302),
        (responds(301), 4401, b"log in again", 301),
        (responds(304), 4401, b"log in again", 304),
        (responds(401), 4401, b"log in again", 401),
        (responds(403), 4403, b"not permitted", 403),
        (raises(PermissionDenied), 4403, b"not permitted", 403),
        (responds(404), 4404, b"not found", 404),
        (raises(Http404), 4404, b"not found", 404),
        (responds(413), 1009, b"too big", 413),
        (responds(400), 1011, b"server error", 400),
        (raises(BadRequest), 1011, b"server error", 400),
        (raises(RequestDataTooBig), 1011, b"server error", 400),
        (responds(405), 1011, b"server error", 405),
        (responds(500), 1011, b"server error", 500),
        (raises(RuntimeError), 1011, b"server error", 500),
    ],
)
def test_whatever_fails_later_closes_behind_what_was_sent(site, logged, answer, code, reason, status):
    def view(request):
        request.wscontext.send("before")
        return answer(request)

    site.route("ws/", view)
    response = site.connect("/ws/").send(PING)
    assert response.status_code == 200
    assert events_of(response) == [
        ("PONG", None),
        ("TEXT", b"m:before"),
        ("CLOSE", code.to_bytes(2, "big") + reason),
    ]
    assert "Location" not in response
    assert logged() == [f"The view at /ws/ answered {status}; the WebSocket is closed with {code}."]


def test_an_exception_is_logged_with_its_traceback(site, caplog):
    site.route("ws/", raises(RuntimeError))
    site.connect("/ws/").send(text("a"))
    [record] = [record for record in caplog.records if record.exc_info]
    assert (record.name, record.levelname, record.exc_info[0]) == ("django.request", "ERROR", RuntimeError)


def test_a_middleware_behind_ours_may_end_it_too(site, settings):
    settings.MIDDLEWARE = ["django_grip.GripMiddleware", f"{__name__}.Forbidding"]
    site.route("ws/", accept)
    assert events_of(site.connect("/ws/").send(text("a"))) == [("CLOSE", b"\x11\x33not permitted")]
    assert site.connect("/ws/").open().status_code == 403


class Forbidding:
    def __init__(self, get_response):
        pass

    def __call__(self, request):
        return HttpResponse("not you", status=403)


def test_a_path_that_leads_nowhere_any_more_ends_it(site):
    assert events_of(site.connect("/gone/").send(text("a"))) == [("CLOSE", b"\x11\x34not found")]


@pytest.mark.parametrize("opening", [[], [OPEN]], ids=["later", "behind the opening"])
def test_text_that_is_not_utf_8_closes_with_1007(site, logged, opening):
    site.route("ws/", echo)
    bad = text("")._replace(content=b"\xff")
    response = site.connect("/ws/").send(*opening, text("a"), bad, text("b"))
    assert events_of(response)[len(opening) :] == [("TEXT", b"m:a"), ("CLOSE", b"\x03\xefnot UTF-8")]
    assert logged() == ["The WebSocket at /ws/ is closed with 1007: a text message is not UTF-8 at byte 0."]


def test_text_that_is_not_utf_8_refuses_an_opening_that_was_not_accepted_yet(site):
    def view(request):
        request.wscontext.recv()

    site.route("ws/", view)
    response = site.connect("/ws/").open(text("")._replace(content=b"\xff"))
    assert response.status_code == 400
    assert response.content == b"The request breaks the GRIP protocol: a text message is not UTF-8 at byte 0.\n"


def test_other_bad_bytes_that_a_view_finds_close_with_1002(site):
    def view(request):
        from django_grip.protocol.headers import parse_grip_link

        parse_grip_link("nonsense")

    site.route("ws/", view)
    assert events_of(site.connect("/ws/").send(text("a"))) == [("CLOSE", b"\x03\xeaprotocol error")]


def test_messages_that_nobody_read_are_told_of(site, logged):
    def view(request):
        request.wscontext.recv()
        return HttpResponse()

    site.route("ws/", view)
    assert events_of(site.connect("/ws/").send(text("a"), text("b"), text("c"))) == []
    assert logged() == [
        "The view at /ws/ left 2 WebSocket messages unread; they are lost. Call recv() until can_recv() is false."
    ]


@pytest.mark.parametrize("tells", [{"content_bytes_replayed": "0"}, {"grip_feature": "status, link:next, link:gone"}])
def test_a_proxy_that_can_brings_them_again_instead(site, logged, tells):
    def view(request):
        request.wscontext.send(request.wscontext.recv())
        return HttpResponse()

    site.route("ws/", view)
    response = site.connect("/ws/").send(text("a"), text("b"), **tells)
    assert response["Content-Bytes-Accepted"] == "1"
    assert sent(events_of(response)) == [b"a"]
    assert logged() == []


def test_a_client_that_was_lost_is_seen_as_closed_and_gets_nothing(site):
    seen = []

    def view(request):
        ws = request.wscontext
        seen.append((ws.recv(), ws.recv(), ws.close_code))
        ws.send("nobody hears it")
        return HttpResponse(status=500)

    site.route("ws/", view)
    response = site.connect("/ws/").send(text("last"), DISCONNECT)
    assert (response.status_code, events_of(response)) == (200, [])
    assert seen == [("last", None, 1006)]


def test_a_tick_is_answered_with_nothing(site):
    site.route("ws/", echo)
    response = site.connect("/ws/").send()
    assert (response.status_code, response.content, response["Content-Length"]) == (200, b"", "0")


def test_the_clients_close_is_answered_even_if_the_view_does_not(site):
    site.route("ws/", lambda request: HttpResponse())
    assert events_of(site.connect("/ws/").send(close(4000, "bye"))) == [("CLOSE", b"\x0f\xa0")]


def test_meta_comes_back_with_the_next_request(site):
    def view(request):
        ws = request.wscontext
        if ws.is_opening():
            ws.accept()
            ws.meta["nick"] = "Jürgen 日本"
            ws.meta["seat"] = "5"
        else:
            ws.send(f"{ws.meta['nick']} {ws.meta.get('Seat')} {sorted(ws.orig_meta)}")
            del ws.meta["seat"]
        return HttpResponse()

    site.route("ws/", view)
    ws = site.connect("/ws/")
    response = ws.open()
    assert response["Set-Meta-nick"].encode("latin-1").decode() == "Jürgen 日本"
    ws.meta = {name: value.encode("latin-1") for name, value in ws.meta.items()}
    response = ws.send()
    assert sent(events_of(response)) == ["Jürgen 日本 5 ['nick', 'seat']".encode()]
    assert response["Set-Meta-seat"] == ""


def test_meta_that_could_inject_a_header_closes_instead(site):
    def view(request):
        request.wscontext.meta["nick"] = "a\r\nSet-Meta-Role: admin"
        return HttpResponse()

    site.route("ws/", view)
    response = site.connect("/ws/").send(text("a"))
    assert events_of(response) == [("CLOSE", b"\x03\xf3server error")]
    assert not [name for name in response.headers if name.lower().startswith("set-meta")]


def test_the_prefix_goes_on_at_the_edge(site, settings):
    settings.GRIP_PREFIX = "mine-"

    def view(request):
        request.wscontext.subscribe("room")
        request.wscontext.unsubscribe("hall")
        return HttpResponse()

    site.route("ws/", view)
    assert controls(events_of(site.connect("/ws/").send())) == [
        b'{"type":"subscribe","channel":"mine-room"}',
        b'{"type":"unsubscribe","channel":"mine-hall"}',
    ]


def test_more_channels_than_the_proxy_takes_are_an_error_in_the_view(site, settings):
    settings.GRIP_MAX_CHANNELS = 2

    def view(request):
        for name in "abc":
            request.wscontext.subscribe(name)
        return HttpResponse()

    site.route("ws/", view)
    assert events_of(site.connect("/ws/").send())[-1] == ("CLOSE", b"\x03\xf3server error")


def test_a_keep_alive_that_cannot_be_closes_later_instead_of_dropping_the_client(site, logged):
    def view(request):
        request.wscontext.send("before")
        request.wscontext.keep_alive_interval = "soon"
        return HttpResponse()

    site.route("ws/", view)
    response = site.connect("/ws/").send()
    assert events_of(response) == [("TEXT", b"m:before"), ("CLOSE", b"\x03\xf3server error")]
    assert logged() == ["The view at /ws/ left a WebSocket that cannot be answered; it is closed."]


# -- Django's own gates ------------------------------------------------------------------------------------------------

SESSIONS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
GRIP = "django_grip.GripMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


@login_required
def members(request):
    return echo(request)


@login_required
async def amembers(request):
    return echo(request)


@pytest.mark.parametrize("order", [[GRIP, *SESSIONS], [*SESSIONS, GRIP]], ids=["grip first", "grip last"])
def test_login_required_refuses_or_ends_a_websocket(site, settings, order):
    settings.MIDDLEWARE = order
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    site.route("members/", amembers if site.stack == "asgi" else members)
    site.route("amembers/", amembers)
    for address in ("/members/", "/amembers/"):
        response = site.connect(address).open()
        assert (response.status_code, response.content) == (401, b"Log in first.\n")
        assert events_of(site.connect(address).send(text("a"))) == [("CLOSE", b"\x11\x31log in again")]


@pytest.mark.parametrize(
    "order",
    [[GRIP, *SESSIONS, LOGIN_REQUIRED], [*SESSIONS, LOGIN_REQUIRED, GRIP], [*SESSIONS, GRIP, LOGIN_REQUIRED]],
    ids=["first", "last", "between"],
)
def test_login_required_middleware_refuses_or_ends_a_websocket(site, settings, order):
    settings.MIDDLEWARE = order
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    site.route("ws/", accept)
    response = site.connect("/ws/").open()
    assert (response.status_code, response.content) == (401, b"Log in first.\n")
    assert events_of(site.connect("/ws/").send(text("a"))) == [("CLOSE", b"\x11\x31log in again")]


@pytest.mark.parametrize("order", [[GRIP, CSRF], [CSRF, GRIP]], ids=["grip first", "csrf first"])
def test_websocket_events_need_no_csrf_token_and_all_else_does(site, settings, order):
    settings.MIDDLEWARE = order
    site.route("ws/", echo)
    site.route("plain/", lambda request: HttpResponse("done"))
    ws = site.connect("/ws/", cookie="csrftoken=" + "a" * 32, origin="http://testserver")
    assert events_of(ws.open(text("a"))) == [("OPEN", None), ("TEXT", b"m:a")]
    assert events_of(ws.send(text("b"))) == [("TEXT", b"m:b")]
    # Neither the proxy's signature nor what only resembles WebSocket events stands in for a token.
    assert site.post("/plain/", b"a=b", headers=proxied()).status_code == 403
    for content_type in ("text/plain", "application/websocket-events;", "application/x-www-form-urlencoded"):
        response = site.post("/plain/", b"", content_type=content_type, headers=proxied(connection_id="c1"))
        assert response.status_code in (400, 403)
        assert not is_exempt(response)
    for headers in ({"Connection-Id": "c1"}, proxied()):
        response = site.post("/plain/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers=headers)
        assert response.status_code in (400, 403)
        assert not is_exempt(response)


def is_exempt(response) -> bool:
    request = response.asgi_request if hasattr(response, "asgi_request") else response.wsgi_request
    return request._dont_enforce_csrf_checks
