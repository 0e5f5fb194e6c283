"""WebSocketAPIView: authentication, permissions, throttles, versions; at the opening, later, and for each message."""

from __future__ import annotations

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from django.middleware.csrf import CsrfViewMiddleware
from django.test import override_settings
from django.urls import path
from rest_framework import exceptions, permissions, renderers, throttling, versioning
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.schemas.openapi import SchemaGenerator
from rest_framework.settings import api_settings

from django_grip.rest import ws_action

from ..fake_proxy import close, events_of, sent, text
from ..views.conftest import ending
from ..views.users import end_session, make_session, make_user, users
from .api_sockets import Socket, TokenAuthentication, accounts, logged, stack, world
from .models import Ticket

__all__ = ["accounts", "logged", "stack", "world"]


class Talk(Socket):
    """Says who is there."""

    def on_open(self):
        assert isinstance(self.request, Request)
        self.send(f"hello {self.request.user.get_username()} with {self.request.auth}")

    def on_message(self, data):
        self.send(f"{self.request.user.get_username()} says {data}")

    def on_refresh(self):
        self.send("refreshed")


class Members(Talk):
    permission_classes = [permissions.IsAuthenticated]


class MayTalk(permissions.BasePermission):
    message = "Ask ann first."

    def has_permission(self, request, view):
        return request.user.has_perm("chat.talk")


class Asked(permissions.BasePermission):
    """Notes what it was asked."""

    seen: list[tuple[object, ...]] = []

    def has_permission(self, request, view):
        self.seen.append((view.action, request.method, request.data))
        return True


@pytest.fixture
def asked():
    Asked.seen.clear()
    return Asked.seen


def code_of(response):
    """The code of the CLOSE in a response."""
    kind, content = events_of(response)[-1]
    assert kind == "CLOSE", events_of(response)
    return int.from_bytes(content[:2], "big")


# -- the opening -------------------------------------------------------------------------------------------------------


def test_who_is_authenticated_is_let_in_and_known_in_every_hook(world):
    ws = world.open(Members, headers=world.token())
    assert ws.receive_json() == "hello ann with token of ann"
    ws.send_json("hi")
    assert ws.receive_json() == "ann says hi"
    world.http.advance(60)
    assert ws.receive_json() == "refreshed"


def test_django_and_async_hooks_know_the_same_user(world):
    class View(Socket):
        async def on_open(self):
            self.send((await self.request.auser()).get_username())

    class SyncView(Socket):
        def on_open(self):
            self.send(self.request._request.user.get_username())

    for view in (View, SyncView):
        assert world.open(view, headers=world.token()).receive_json() == "ann"
        world.routes.urlpatterns.clear()


def test_nobody_is_refused_with_drfs_own_response(world):
    response = world.refused(Members)
    assert (response.status_code, response.json()) == (401, {"detail": "Authentication credentials were not provided."})
    assert response["WWW-Authenticate"] == 'Token realm="api"'
    assert response["Content-Type"] == "application/json"
    assert response["Allow"] == "GET"


def test_a_wrong_token_is_refused(world):
    response = world.refused(Members, headers={"authorization": "Token nobody"})
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid token."})


def test_without_a_scheme_to_name_nobody_is_refused_with_403(world):
    class View(Members):
        authentication_classes = [SessionAuthentication]

    response = world.refused(View)
    assert (response.status_code, response.json()) == (403, {"detail": "Authentication credentials were not provided."})


def test_who_is_not_permitted_is_refused_with_the_permissions_message(world):
    class View(Talk):
        permission_classes = [MayTalk]

    response = world.refused(View, headers=world.token())
    assert (response.status_code, response.json()) == (403, {"detail": "Ask ann first."})


@pytest.mark.parametrize(
    ("raised", "status", "data"),
    [
        (lambda: exceptions.NotFound(), 404, {"detail": "Not found."}),
        (lambda: Http404("no such room"), 404, {"detail": "no such room"}),
        (lambda: DjangoPermissionDenied(), 403, {"detail": "You do not have permission to perform this action."}),
        (lambda: exceptions.ValidationError({"room": ["Full."]}), 400, {"room": ["Full."]}),
        (lambda: exceptions.Throttled(wait=3), 429, None),
    ],
)
def test_what_drf_knows_refuses_the_opening(world, raised, status, data):
    class View(Socket):
        def on_open(self):
            raise raised()

    response = world.refused(View)
    assert response.status_code == status
    assert data is None or response.json() == data
    assert (response.get("Retry-After") == "3") is (status == 429)


def test_a_bug_in_on_open_is_djangos_500(world, logged):
    class View(Socket):
        def on_open(self):
            raise RuntimeError("a bug")

    assert world.refused(View).status_code == 500
    assert logged("django.request") == ["Internal Server Error: /ws/"]


def test_a_bug_in_a_permission_is_djangos_500(world):
    class Broken(permissions.BasePermission):
        def has_permission(self, request, view):
            raise RuntimeError("a bug")

    class View(Socket):
        permission_classes = [Broken]

    for debug in (False, True):
        with override_settings(DEBUG=debug):
            assert world.refused(View).status_code == 500


def test_on_open_may_return_a_response_of_drfs(world):
    class View(Socket):
        def on_open(self):
            return Response({"detail": "full"}, status=409)

    response = world.refused(View)
    assert (response.status_code, response.json()) == (409, {"detail": "full"})


def test_on_open_may_reject(world):
    class View(Socket):
        def on_open(self):
            return self.reject(410, "gone")

    response = world.refused(View)
    assert (response.status_code, response.content) == (410, b"gone")


# -- what negotiation and parsers would say ----------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/websocket-events", "*/*", "text/html", "nonsense", "a/b;q=x,,"])
def test_whatever_is_accepted_negotiation_refuses_nothing(world, accept):
    class View(Members):
        renderer_classes = [renderers.BrowsableAPIRenderer]
        parser_classes = []

    response = world.refused(View, headers={"accept": accept})
    assert (response.status_code, response["Content-Type"]) == (401, "application/json")
    world.routes.urlpatterns.clear()
    assert world.open(View, headers={"accept": accept, **world.token()}).accepted


def test_policies_see_get_and_then_each_messages_data_as_post(world, asked):
    class View(Socket):
        permission_classes = [Asked]

        def on_message(self, data):
            pass

        @ws_action("rename")
        def rename(self, data):
            pass

    wire = world.wire(View)
    wire.send(text('{"text": "hi"}'), text('{"action": "rename", "data": [1]}'), text('{"action": "nonsense"}'))
    wire.send()
    assert asked == [
        ("on_open", "GET", {}),
        ("on_open", "GET", {}),
        ("on_message", "POST", {"text": "hi"}),
        ("rename", "POST", [1]),
        (None, "POST", {}),
        ("on_open", "GET", {}),
    ]


def test_who_may_only_read_may_listen_and_not_speak(world):
    class View(Talk):
        permission_classes = [permissions.IsAuthenticatedOrReadOnly]

    ws = world.open(View)
    ws.receive_json()
    ws.send_json({"ref": 1})
    assert ws.receive_json() == {
        "type": "error",
        "ref": 1,
        "status": 401,
        "errors": {"detail": "Authentication credentials were not provided."},
    }
    ws.send_json("again")
    assert ws.receive_json()["status"] == 401


def test_permissions_can_depend_on_the_action(world):
    class View(Members):
        def get_permissions(self):
            return [MayTalk()] if self.action == "shout" else super().get_permissions()

        @ws_action("shout")
        def shout(self, data):
            return data.upper()

    ws = world.open(View, headers=world.token())
    ws.receive_json()
    ws.send_json({"action": "shout", "ref": 1, "data": "a"})
    told = {"type": "error", "ref": 1, "status": 403, "errors": {"detail": "Ask ann first."}}
    assert ws.receive_json() == told
    ws.send_json("b")
    assert ws.receive_json() == "ann says b"
    make_user("ann", may=("chat.talk",))
    ws.send_json({"action": "shout", "ref": 2, "data": "a"})
    assert ws.receive_json()["data"] == "A"


# -- later -------------------------------------------------------------------------------------------------------------


def test_a_revoked_token_ends_the_connection(world, logged):
    wire = world.wire(Members, **world.token())
    users[1].is_active = False
    response = wire.send(text('"hi"'))
    assert (code_of(response), sent(events_of(response))) == (4401, [])
    assert logged() == ["The view at /ws/ answered 401; the WebSocket is closed with 4401."]


def test_a_revoked_token_ends_a_silent_connection_at_its_next_tick(world):
    ws = world.open(Members, headers=world.token())
    ws.receive_json()
    users[1].is_active = False
    world.http.advance(60)
    assert ending(ws) == (4401, "log in again")


def test_a_session_that_ended_is_4401_though_drf_says_403(world):
    class View(Members):
        authentication_classes = [SessionAuthentication]

    world.http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = world.open(View)
    assert ws.receive_json() == "hello ann with None"
    end_session(world.http.cookies["sessionid"].value)
    ws.send_json("hi")
    assert ending(ws) == (4401, "log in again")


def test_another_user_by_the_same_token_is_not_the_connections(world):
    wire = world.wire(Talk, **world.token())
    users.clear()
    world.token(pk=2)
    assert code_of(wire.send(text('"hi"'))) == 4401


def test_a_revoked_permission_ends_the_connection(world):
    class View(Talk):
        permission_classes = [MayTalk]

    ws = world.open(View, headers=world.token(may=("chat.talk",)))
    ws.receive_json()
    ws.send_json("hi")
    assert ws.receive_json() == "ann says hi"
    world.token()
    ws.send_json("hi")
    assert ending(ws) == (4403, "not permitted")


def test_an_object_that_is_gone_is_4404(world):
    class View(Talk):
        def initial(self, request, *args, **kwargs):
            super().initial(request, *args, **kwargs)
            if request.user.has_perm("chat.gone"):
                raise Http404

    ws = world.open(View, headers=world.token())
    world.token(may=("chat.gone",))
    ws.send_json("hi")
    assert ending(ws) == (4404, "not found")


def test_a_bug_in_a_permission_later_is_1011(world, logged):
    class View(Talk):
        def get_permissions(self):
            if self.request.user.has_perm("chat.bug"):
                raise RuntimeError("a bug")
            return []

    wire = world.wire(View, **world.token())
    world.token(may=("chat.bug",))
    assert code_of(wire.send(text('"hi"'))) == 1011
    assert logged("django.request") == ["Internal Server Error: /ws/"]


def test_on_close_knows_the_user(world):
    class View(Members):
        def on_close(self, code, reason):
            seen.append(self.request.user.get_username())

    seen = []
    wire = world.wire(View, **world.token())
    wire.send(close(1000))
    assert seen == ["ann"]


# -- throttles ---------------------------------------------------------------------------------------------------------


class TwoAMinute(throttling.SimpleRateThrottle):
    """With a clock that stands still."""

    rate = "2/min"
    timer = staticmethod(lambda: 1_000_000.0)

    def get_cache_key(self, request, view):
        return f"throttle:{'opening' if view.action == 'on_open' else 'messages'}"


class Throttled(Talk):
    throttle_classes = [TwoAMinute]

    @ws_action("free")
    def free(self, data):
        return data

    def get_throttles(self):
        return [] if self.action == "free" else super().get_throttles()


def test_openings_are_throttled_with_drfs_response(world):
    for _ in range(2):
        world.open(Throttled)
    response = world.refused(Throttled)
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert response.json() == {"detail": "Request was throttled. Expected available in 60 seconds."}


def test_each_message_is_throttled_and_the_connection_stays(world):
    ws = world.open(Throttled)
    ws.receive_json()
    told = {
        "type": "error",
        "ref": 7,
        "status": 429,
        "errors": {"detail": "Request was throttled. Expected available in 60 seconds."},
        "retry_after": 60,
    }
    # One of them is no JSON: it counts, too.
    ws.send('{"ref": 5}', "nonsense", '{"ref": 7}')
    assert [ws.receive_json() for _ in range(3)] == [
        " says {'ref': 5}",
        {"type": "error", "ref": None, "status": 400, "errors": {"detail": "The message is not JSON."}},
        told,
    ]
    ws.send_json({"action": "free", "ref": 8, "data": 1})
    assert ws.receive_json()["data"] == 1
    # Of other connections, too: the history is the cache's.
    other = world.open(Throttled)
    other.receive_json()
    other.send_json({"ref": 7})
    assert other.receive_json() == told


def test_what_the_proxy_asks_by_itself_does_not_count(world):
    wire = world.wire(Throttled)
    for _ in range(5):
        assert sent(events_of(wire.send())) == [b'"refreshed"']
    assert sent(events_of(wire.send(text('"hi"')))) == [b'" says hi"']


# -- versions ----------------------------------------------------------------------------------------------------------


def test_the_version_is_determined(world):
    class View(Socket):
        versioning_class = versioning.QueryParameterVersioning

        def on_open(self):
            self.send([self.request.version, type(self.request.versioning_scheme).__name__])

    world.serve(View)
    with world.http.websocket("/ws/?version=2") as ws:
        assert ws.receive_json() == ["2", "QueryParameterVersioning"]


def test_a_wrong_version_is_refused(world):
    class Versions(versioning.URLPathVersioning):
        allowed_versions = ["v1"]

    class View(Socket):
        versioning_class = Versions

    world.serve(View, "<version>/ws/")
    assert world.http.websocket("/v2/ws/").status_code == 404
    assert world.http.websocket("/v1/ws/").accepted


def test_a_version_that_only_accept_could_tell_is_the_default(world):
    class Versions(versioning.AcceptHeaderVersioning):
        allowed_versions = ["1", "2"]
        default_version = "1"

    class View(Socket):
        versioning_class = Versions

        def on_open(self):
            self.send(self.request.version)

    ws = world.open(View, headers={"accept": "application/json; version=2"})
    assert ws.receive_json() == "1"


# -- objects -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_object_of_the_url_is_looked_up_as_in_a_generic_view(world):
    class IsTitled(permissions.BasePermission):
        def has_object_permission(self, request, view, obj):
            return obj.title != "secret"

    class View(Socket):
        queryset = Ticket.objects.all()
        permission_classes = [IsTitled]

        def on_open(self):
            self.send(self.get_object().title)

        def on_refresh(self):
            self.get_object()

        @ws_action("title")
        def tell_title(self, data):
            return self.get_object().title

    world.serve(View, "tickets/<pk>/")
    ticket = Ticket.objects.create(title="open")
    secret = Ticket.objects.create(title="secret")
    refused = world.http.websocket(f"/tickets/{secret.pk}/", headers=world.token()).response
    assert (refused.status_code, refused.json()) == (403, {"detail": exceptions.PermissionDenied.default_detail})
    assert world.http.websocket("/tickets/0/").status_code == 404
    with world.http.websocket(f"/tickets/{ticket.pk}/") as ws:
        assert ws.receive_json() == "open"
        ticket.delete()
        ws.send_json({"action": "title", "ref": 1})
        assert (ws.receive_json()["status"], ws.closed) == (404, False)
        world.http.advance(60)
        assert ending(ws) == (4404, "not found")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("may", "speaks"), [((), 403), (("rest.add_ticket",), 200)])
def test_model_permissions_let_listen_and_ask_for_add_to_speak(world, may, speaks):
    class View(Socket):
        queryset = Ticket.objects.all()
        permission_classes = [permissions.DjangoModelPermissions]

        @ws_action("add")
        def add(self, data):
            return Ticket.objects.create(title=data).title

    with world.open(View, headers=world.token(may=may)) as ws:
        ws.send_json({"action": "add", "ref": 1, "data": "x"})
        assert ws.receive_json()["status"] == speaks
    assert Ticket.objects.exists() is (speaks == 200)


# -- the subprotocol that brings a token -------------------------------------------------------------------------------


class Spoken(Members):
    subprotocols = ["chat.v1"]


def test_a_token_may_come_as_a_subprotocol_and_is_never_chosen(world):
    make_user("ann")
    ws = world.open(Spoken, subprotocols=["bearer.ann", "chat.v1"])
    assert ws.receive_json() == "hello ann with token of ann"
    assert ws.subprotocol == "chat.v1"
    ws.send_json("hi")
    assert ws.receive_json() == "ann says hi"


def test_a_view_that_chooses_is_not_offered_the_token(world):
    class View(Spoken):
        def get_subprotocol(self, offered):
            self.offered = offered
            return offered[0]

        def on_open(self):
            self.send(self.offered)

    make_user("ann")
    ws = world.open(View, subprotocols=["bearer.ann", "x"])
    assert (ws.receive_json(), ws.subprotocol) == (["x"], "x")


def test_a_token_alone_is_refused(world):
    make_user("ann")
    response = world.refused(Spoken, subprotocols=["bearer.ann"])
    assert response.status_code == 400
    assert b"Offer another subprotocol beside that of the token, such as 'chat.v1': a token" in response.content


def test_a_wrong_token_as_a_subprotocol_is_refused(world):
    response = world.refused(Spoken, subprotocols=["chat.v1", "bearer.nobody"])
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid token."})


# -- around the view ---------------------------------------------------------------------------------------------------


def test_a_plain_request_never_reaches_the_view(world):
    world.serve(Talk)
    for method in ("get", "post", "options"):
        response = getattr(world.http, method)("/ws/")
        assert (response.status_code, response.content) == (400, b"Request must contain WebSocket events.\n")


def test_sessions_work_although_the_events_are_a_post(world, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]

    class View(Members):
        authentication_classes = [SessionAuthentication]

    client = world.http
    getattr(client, "_inner", client).handler.enforce_csrf_checks = True
    client.cookies["sessionid"] = make_session(make_user("ann"))
    ws = world.open(View)
    ws.receive_json()
    ws.send_json("hi")
    assert ws.receive_json() == "ann says hi"


def test_the_view_itself_is_not_exempt_from_csrf(world, rf):
    view = Talk.as_view()
    assert not getattr(view, "csrf_exempt", False)
    refused = CsrfViewMiddleware(lambda request: None).process_view(rf.post("/ws/"), view, (), {})
    assert refused.status_code == 403


@pytest.mark.parametrize("is_async", [False, True])
def test_the_view_tells_what_djangos_and_drfs_tools_ask(is_async):
    class View(Socket):
        if is_async:

            async def on_message(self, data): ...

        else:

            def on_message(self, data): ...

    view = View.as_view(permission_classes=[permissions.IsAuthenticated])
    assert iscoroutinefunction(view) is is_async
    assert (view.cls, view.view_class, view.login_required, view.websocket_only) == (View, View, False, True)
    assert view.initkwargs == {"permission_classes": [permissions.IsAuthenticated]}


def test_djangos_login_required_middleware_leaves_it_to_drf(world, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert world.open(Talk).accepted


def test_it_is_no_path_of_openapi(settings):
    generator = SchemaGenerator(patterns=[path("ws/", Talk.as_view())], title="API")
    assert not generator.get_schema(request=None, public=True)["paths"]


def test_it_is_no_path_of_drf_spectacular():
    pytest.importorskip("drf_spectacular")
    from drf_spectacular.generators import SchemaGenerator as Spectacular

    generator = Spectacular(patterns=[path("ws/", Talk.as_view())])
    assert not generator.get_schema(request=None, public=True)["paths"]


def test_a_projects_own_initial_and_finalize_response_are_called(world):
    class View(Members):
        def initial(self, request, *args, **kwargs):
            super().initial(request, *args, **kwargs)
            self.tenant = f"of {request.user.username}"

        def on_open(self):
            self.send(self.tenant)

        def finalize_response(self, request, response, *args, **kwargs):
            response = super().finalize_response(request, response, *args, **kwargs)
            response["X-Tenant"] = "none"
            return response

    assert world.refused(View)["X-Tenant"] == "none"
    world.routes.urlpatterns.clear()
    assert world.open(View, headers=world.token()).receive_json() == "of ann"


def test_a_mixin_before_it_may_answer_first(world):
    """As DRF's own mixins do, and Django's; on an async stack they run in a thread."""

    class Closed:
        def dispatch(self, request, *args, **kwargs):
            if not request.headers.get("authorization"):
                raise DjangoPermissionDenied
            return super().dispatch(request, *args, **kwargs)

    class View(Closed, Members):
        pass

    assert world.refused(View).status_code == 403
    world.routes.urlpatterns.clear()
    assert world.open(View, headers=world.token()).receive_json() == "hello ann with token of ann"


class Guest(AnonymousUser):
    pass


@pytest.mark.parametrize("guest", [None, Guest])
def test_a_project_says_who_nobody_is(world, guest, monkeypatch):
    monkeypatch.setattr(api_settings, "UNAUTHENTICATED_USER", guest)

    class View(Socket):
        def on_message(self, data):
            self.send([type(self.request.user).__name__, data])

    ws = world.open(View)
    ws.send_json(1)
    assert ws.receive_json() == ["Guest" if guest else "NoneType", 1]


def test_whom_no_authenticator_knows_is_anonymous(world):
    class Nobody(TokenAuthentication):
        def authenticate(self, request):
            return None

    class View(Socket):
        authentication_classes = [Nobody]

        def on_message(self, data):
            self.send([str(self.request.user), self.request.auth])

    ws = world.open(View)
    ws.send_json(1)
    assert ws.receive_json() == ["AnonymousUser", None]
