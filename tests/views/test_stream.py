"""StreamView: what a client gets first, the hold and its links, messages by POST."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.translation import gettext_lazy

from django_grip.protocol.channels import Channel
from django_grip.views import StreamView

from ..fake_proxy import proxied
from .conftest import body_of, instructions, make_client
from .users import accounts, make_session, make_user

__all__ = ["accounts"]

FORM = "application/x-www-form-urlencoded"


class Log(StreamView):
    channels = ["log:{name}"]


@pytest.fixture
def get(routes, http):
    """Serve a view and open its stream."""

    def open_stream(view=Log, path="/log/a/", method="get", features=None, **headers):
        routes.add("log/<name>/", view)
        sent = proxied(**headers)
        if features is not None:
            sent["grip-feature"] = features
        return getattr(http, method)(path, headers=sent)

    return open_stream


# -- the first content -------------------------------------------------------------------------------------------------


class Row:
    """Iterable, again and again, like a queryset."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)


class AsyncRow(Row):
    __iter__ = None

    async def __aiter__(self):
        for piece in self.pieces:
            yield piece


class BothRow(Row):
    """Iterable in both ways, like a queryset too; on each stack the right one is taken."""

    def __aiter__(self):
        return AsyncRow(*self.pieces).__aiter__()


def generate():
    yield "one "
    yield b"two"


@pytest.mark.parametrize(
    ("make", "body"),
    [
        (lambda: None, b""),
        (lambda: "", b""),
        (lambda: "[stream open]\n", b"[stream open]\n"),
        (lambda: "ünï ☃", "ünï ☃".encode()),
        (lambda: gettext_lazy("yes"), b"yes"),
        (lambda: [gettext_lazy("yes")], b"yes"),
        (lambda: b"\xff\x00", b"\xff\x00"),
        (lambda: [], b""),
        (lambda: ["one ", b"two"], b"one two"),
        (lambda: ("one ", "two"), b"one two"),
        (lambda: iter([]), b""),
        (lambda: iter(["one ", "two"]), b"one two"),
        (generate, b"one two"),
        (lambda: Row("one ", "two"), b"one two"),
        (lambda: AsyncRow("one ", b"two"), b"one two"),
        (lambda: AsyncRow(), b""),
        (lambda: BothRow("one ", "two"), b"one two"),
        (lambda: (f"{n} " for n in range(1000)), "".join(f"{n} " for n in range(1000)).encode()),
    ],
)
def test_what_on_open_returns_is_sent_before_the_hold(get, make, body):
    class View(Log):
        def on_open(self):
            return make()

    response = get(View)
    assert response.status_code == 200
    assert body_of(response) == body
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Grip-Hold"] == "stream"


def test_on_open_may_be_a_generator(get):
    class View(Log):
        def on_open(self):
            yield f"hello {self.kwargs['name']}\n"
            yield "and more\n"

    assert body_of(get(View)) == b"hello a\nand more\n"


def test_on_open_may_be_an_async_generator(get):
    class View(Log):
        async def on_open(self):
            yield f"hello {self.kwargs['name']}\n"
            yield "and more\n"

    assert body_of(get(View)) == b"hello a\nand more\n"


def test_a_view_without_on_open_begins_with_nothing(get):
    response = get()
    assert (body_of(response), response["Grip-Hold"]) == (b"", "stream")


def test_a_response_of_ones_own_is_held(get):
    class View(Log):
        def on_open(self):
            return HttpResponse("<p>", content_type="text/html", headers={"X-Mine": "1"})

    response = get(View)
    assert (response.content, response["Content-Type"], response["X-Mine"]) == (b"<p>", "text/html", "1")
    assert response["Grip-Hold"] == "stream"


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: HttpResponse("no", status=403), 403),
        (lambda: HttpResponseRedirect("/elsewhere/"), 302),
        (lambda: HttpResponse(status=204), 204),
    ],
)
def test_a_response_that_is_no_200_is_not_held(get, make, status):
    class View(Log):
        def on_open(self):
            return make()

    response = get(View)
    assert response.status_code == status
    assert instructions(response) == {}


def test_a_streaming_response_of_ones_own_is_held(get, stack):
    class View(Log):
        def on_open(self):
            pieces = ["one ", "two"]
            return StreamingHttpResponse(AsyncRow(*pieces).__aiter__() if stack == "asgi" else iter(pieces))

    response = get(View)
    assert (body_of(response), response["Grip-Hold"]) == (b"one two", "stream")


def fail_before_the_first_piece():
    raise Http404
    yield


async def afail_before_the_first_piece():
    raise Http404
    yield


@pytest.mark.parametrize("make", [fail_before_the_first_piece, afail_before_the_first_piece])
def test_a_generator_that_fails_at_once_is_an_error_page(get, make):
    class View(Log):
        def on_open(self):
            return make()

    response = get(View)
    assert response.status_code == 404
    assert instructions(response) == {}


@pytest.mark.parametrize(("error", "status"), [(PermissionDenied, 403), (Http404, 404), (RuntimeError, 500)])
def test_an_error_before_the_hold_is_an_error_page(get, error, status):
    class View(Log):
        def on_open(self):
            raise error

    response = get(View)
    assert response.status_code == status
    assert instructions(response) == {}


@pytest.mark.parametrize("value", [5, {"a": 1}, ["fine", 5], lambda: iter([5]), True, object()])
def test_what_is_no_stream_is_refused(get, caplog, value):
    class View(Log):
        def on_open(self):
            return value() if callable(value) else value

    assert get(View).status_code == 500
    assert "View.on_open returns str, bytes, an iterator of these or a response, not " in caplog.text


# -- the hold ----------------------------------------------------------------------------------------------------------


def test_the_stream_is_held_on_the_channels_of_the_url(get):
    response = get(path="/log/a%2Cb/", features="")
    assert instructions(response) == {"Grip-Hold": "stream", "Grip-Channel": "log:a%2Cb"}
    assert response["X-Accel-Buffering"] == "no"
    assert "no-store" in response["Cache-Control"]


def test_channels_may_be_computed_and_have_filters(get):
    class View(StreamView):
        filters = ["require-sub"]

        async def get_channels(self):
            return ["one", Channel("two", filters=["build-id"])]

    response = get(View, features="")
    assert response["Grip-Channel"] == "one; filter=require-sub, two; filter=require-sub; filter=build-id"


@pytest.mark.parametrize(
    ("data", "header"),
    [("\n", "\\n; format=cstring; timeout=20; mode=idle"), (b"\x00", None), ("…", None)],
)
def test_silence_is_filled(get, data, header):
    class View(Log):
        keep_alive = 20
        keep_alive_data = data

    value = get(View)["Grip-Keep-Alive"]
    assert "timeout=20" in value
    assert header is None or value.split(";")[0] == header.split(";")[0]


def test_a_direct_client_is_told_that_it_needs_a_proxy(routes, http):
    class View(Log):
        def on_open(self):
            raise AssertionError("this would end at once")

    routes.add("log/<name>/", View)
    response = http.get("/log/a/")
    assert response.status_code == 501
    assert response.content.startswith(b"This address works only behind a GRIP proxy")
    assert instructions(response) == {}


@pytest.mark.parametrize(("direct", "status"), [(False, 200), (True, 501)])
def test_head_opens_nothing(routes, http, direct, status):
    class View(Log):
        def on_open(self):
            raise AssertionError

    routes.add("log/<name>/", View)
    response = http.head("/log/a/", headers={} if direct else proxied())
    assert response.status_code == status
    assert instructions(response) == {}
    if not direct:
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert "no-store" in response["Cache-Control"]


# -- links -------------------------------------------------------------------------------------------------------------

NEXT, GONE = "link:next", "link:gone"


def links_of(response):
    """The links by their relation."""
    found = {}
    for link in response.get("Grip-Link", "").split(", ") if "Grip-Link" in response else []:
        uri, _, rest = link.partition("; ")
        found[rest.split(";")[0].removeprefix("rel=")] = (uri.strip("<>"), rest)
    return found


class Opens(Log):
    def on_open(self):
        return "first content"


@pytest.mark.parametrize(
    ("features", "recheck", "timeout"),
    [(NEXT, 60, "timeout=60"), (NEXT, 20, "timeout=20"), (NEXT, None, None), ("", 60, None), ("status", 60, None)],
)
def test_the_proxy_asks_again_where_it_can(get, features, recheck, timeout):
    class View(Opens):
        live_recheck = recheck

    links = links_of(get(View, features=features))
    assert ("next" in links) is (timeout is not None)
    if timeout:
        assert links["next"][1] == f"rel=next; {timeout}"
        assert links["next"][0].startswith("/log/a/.grip/")


def test_a_link_goes_on_without_repeating_on_open(get, http):
    first = get(Opens, features=NEXT, path="/log/a/?x=1")
    assert body_of(first) == b"first content"
    link = links_of(first)["next"][0]
    again = http.get(link, headers=proxied())
    assert again.status_code == 200
    assert body_of(again) == b""
    assert again["Grip-Hold"] == "stream"
    assert again["Grip-Channel"] == first["Grip-Channel"]
    # Clients of the same stream share a fetch, as their links are the same.
    assert links_of(again)["next"][0] == link


def test_a_link_has_the_query_of_the_request(get, http):
    class View(Opens):
        def get_channels(self):
            return [f"q:{self.request.GET['q']}"]

    first = get(View, features=NEXT, path="/log/a/?q=5")
    link = links_of(first)["next"][0]
    assert "q=5" not in link  # a fetch is shared by the path without the query
    assert http.get(link, headers=proxied())["Grip-Channel"].startswith("q:5")


def test_who_is_gone_is_heard_of_where_the_proxy_tells(get, http):
    class View(Log):
        def on_close(self):
            log.append((self.kwargs["name"], self.request.method))

    log = []
    links = links_of(get(View, features=f"{NEXT}, {GONE}"))
    assert set(links) == {"next", "gone"}
    response = http.post(links["gone"][0], headers=proxied())
    assert (response.status_code, response.content) == (200, b"")
    assert instructions(response) == {}
    assert log == [("a", "POST")]


def test_on_close_may_return_nothing(get, http, caplog):
    class View(Log):
        def on_close(self):
            return "bye"

    link = links_of(get(View, features=GONE))["gone"][0]
    assert http.post(link, headers=proxied()).status_code == 500
    assert "View.on_close returned str; return nothing." in caplog.text


def test_a_view_without_on_close_has_no_gone_link(get):
    assert set(links_of(get(Opens, features=f"{NEXT}, {GONE}"))) == {"next"}


def test_where_the_proxy_cannot_tell_there_is_one_warning(routes, http, caplog):
    class View(Log):
        def on_close(self):
            raise AssertionError

    caplog.set_level(logging.WARNING, "django_grip")
    routes.add("log/<name>/", View)
    for _ in range(3):
        assert "gone" not in links_of(http.get("/log/a/", headers=proxied()))
    assert [record.getMessage() for record in caplog.records if record.name == "django_grip"] == [
        "View.on_close is never called: the proxy does not tell when a stream ends (Pushpin 1.41 does)."
    ]


def test_a_gone_link_is_no_way_to_post(get, http):
    class View(Log):
        def on_close(self):
            log.append("closed")

        def on_message(self, message):
            log.append(message)

    log = []
    link = links_of(get(View, features=GONE))["gone"][0]
    http.post(link, "hello", content_type="text/plain", headers=proxied())
    assert log == ["closed"]


# -- messages ----------------------------------------------------------------------------------------------------------


class Says(Log):
    def on_message(self, message):
        return HttpResponse(f"heard {message}")


@pytest.fixture
def post(routes, http):
    def send(data, content_type="text/plain", view=Says, **options):
        routes.add("log/<name>/", view)
        return http.post("/log/a/", data, content_type=content_type, **options)

    return send


def multipart(**fields):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    return "".join([*parts, "--b--\r\n"])


MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("data", "content_type", "heard"),
    [
        ("hello", "text/plain", "hello"),
        ("", "text/plain", ""),
        ("ünï ☃", "text/plain; charset=utf-8", "ünï ☃"),
        ('{"a": 1}', "application/json", '{"a": 1}'),
        ("a=1&b=2", "text/plain", "a=1&b=2"),
        ("message=hello", FORM, "hello"),
        ("message=%C3%BC+x&other=1", FORM, "ü x"),
        ("message=", FORM, ""),
        ("what curl sends", FORM, "what curl sends"),
        ("other=1", FORM, "other=1"),
        (multipart(message="hello", other="1"), MULTIPART, "hello"),
        (multipart(message="ünï"), MULTIPART, "ünï"),
    ],
)
def test_a_post_is_a_message(post, data, content_type, heard):
    response = post(data, content_type)
    assert (response.status_code, response.content.decode()) == (200, f"heard {heard}")


def test_a_message_comes_directly_as_well_as_through_the_proxy(post):
    assert post("a", headers=proxied()).content == post("a").content == b"heard a"


def test_nothing_to_say_is_a_204(post):
    class View(Log):
        def on_message(self, message):
            pass

    response = post("x", view=View)
    assert (response.status_code, response.content) == (204, b"")


def test_a_view_names_the_field_itself(post):
    class View(Says):
        message_field = "text"

    assert post("text=hello", FORM, view=View).content == b"heard hello"


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (b"\xff", "text/plain", "The message is not UTF-8."),
        (b"\xff", FORM, "The message is not UTF-8."),
        (b"message=%FF", FORM, "The message is not UTF-8, or has U+FFFD in it."),
        (multipart(message="x").encode().replace(b"x", b"\xff"), MULTIPART, "The message is not UTF-8, or has U+FFFD"),
        (multipart(other="x"), MULTIPART, "The form has no field 'message'."),
        ("csrfmiddlewaretoken=secret&other=1", FORM, "The form has no field 'message'."),
        ("other=1&csrfmiddleware%74oken=secret", FORM, "The form has no field 'message'."),
    ],
)
def test_what_is_no_message_is_a_400_in_one_sentence(post, data, content_type, text):
    response = post(data, content_type)
    assert response.status_code == 400
    assert response.content.decode().startswith(text)
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ("x" * 11, "text/plain"),
        ("☃" * 4, "text/plain"),
        ("message=" + "x" * 11, FORM),
        (multipart(message="x" * 11), MULTIPART),
    ],
)
def test_a_message_that_is_too_large_is_a_413(post, data, content_type):
    class View(Says):
        max_message_size = 10

    response = post(data, content_type, view=View)
    assert (response.status_code, response.content) == (413, b"A message may have 10 bytes.\n")


def test_django_s_own_limit_is_a_413_too(post, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = post("x" * 101)
    assert (response.status_code, response.content) == (
        413,
        b"Request body exceeded settings.DATA_UPLOAD_MAX_MEMORY_SIZE.\n",
    )


@pytest.mark.parametrize(
    ("value", "name"), [("text", "str"), ({"a": 1}, "dict"), (5, "int"), (iter([]), "list_iterator"), (False, "bool")]
)
def test_a_message_is_answered_with_a_response_or_nothing(post, caplog, value, name):
    class View(Log):
        def on_message(self, message):
            return value

    assert post("x", view=View).status_code == 500
    assert f"View.on_message returned {name}; return a response, or None." in caplog.text


def test_without_on_message_there_is_no_post(post):
    response = post("x", view=Opens)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_message_for_a_url_that_names_no_channel_is_a_400(routes, http):
    routes.add("log/<name>/", Says)
    response = http.post(f"/log/{'x' * 2000}/", "hello", content_type="text/plain")
    assert response.status_code == 400
    assert response.content.startswith(b"This URL names no channel: channel name 'log:xxx")


CSRF = [
    "django_grip.GripMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TOKEN = "a" * 32


@pytest.mark.parametrize("content_type", ["text/plain", FORM, MULTIPART])
def test_a_message_needs_a_csrf_token_as_any_post(routes, stack, settings, published, content_type):
    class View(Log):
        def on_message(self, message):
            self.publish(message)

    settings.MIDDLEWARE = CSRF
    routes.add("log/<name>/", View)
    strict = make_client(stack, enforce_csrf_checks=True, raise_request_exception=False)
    fields = {"message": "hello", "csrfmiddlewaretoken": TOKEN}
    data = {
        "text/plain": "hello",
        FORM: "&".join(f"{name}={value}" for name, value in fields.items()),
        MULTIPART: multipart(**fields),
    }[content_type]
    assert strict.post("/log/a/", data, content_type=content_type).status_code == 403
    strict.cookies["csrftoken"] = TOKEN
    headers = {"x-csrftoken": TOKEN} if content_type == "text/plain" else {}
    assert strict.post("/log/a/", data, content_type=content_type, headers=headers).status_code == 204
    assert [entry.stream for entry in published] == ["hello"]
    assert TOKEN not in str(published)


def test_a_users_stream_can_be_told_from_the_others(routes, http, accounts):
    routes.add("log/<name>/", Says)
    assert "Grip-Set-Meta" not in http.get("/log/a/", headers=proxied())
    http.cookies["sessionid"] = make_session(make_user("ann", pk=3))
    assert http.get("/log/a/", headers=proxied())["Grip-Set-Meta"] == 'user="user:3"'
