"""Viewsets for tests of the live WebSocket: extra actions, permissions, throttles, and what no WebSocket can carry."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission, DjangoModelPermissions, IsAuthenticated
from rest_framework.renderers import JSONRenderer, StaticHTMLRenderer
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.versioning import URLPathVersioning

from .models import Ticket
from .project import OwnTicketViewSet, ProjectViewSet, TicketViewSet


class ExtraTicketViewSet(TicketViewSet):
    """Extra actions of all kinds."""

    @action(detail=True, methods=["post"])
    def close(self, request: Any, pk: Any = None) -> Response:
        ticket = self.get_object()
        ticket.done = True
        ticket.save()
        return Response({"done": True})

    @action(detail=True, methods=["get", "post"])
    def notes(self, request: Any, pk: Any = None) -> Response:
        return Response({"method": request.method, "data": request.data, "pk": self.get_object().pk})

    @action(detail=True)
    def tags(self, request: Any, pk: Any = None) -> Response:
        return Response([self.action])

    @tags.mapping.delete
    def clear_tags(self, request: Any, pk: Any = None) -> Response:
        return Response([self.action])

    @action(detail=False, url_path="the-recent")
    def recent(self, request: Any) -> Response:
        return Response({"path": request.get_full_path(), "action": self.action})

    @action(detail=False, url_path=r"of/(?P<year>\d+)")
    def of_year(self, request: Any, year: str) -> Response:
        return Response(year)

    @action(detail=False)
    def echo(self, request: Any) -> Response:
        seen = {"get": request.query_params.dict(), "method": request.method, "type": request.content_type}
        return Response({**seen, "url": request.build_absolute_uri(), "accept": request.accepted_media_type})


class OddTicketViewSet(TicketViewSet):
    """Answers that no WebSocket can carry, and failures."""

    @action(detail=False, methods=["post"])
    def redirect(self, request: Any) -> Any:
        return HttpResponseRedirect("/elsewhere/")

    @action(detail=False, methods=["get", "delete"])
    def bin(self, request: Any) -> Response:
        return Response(request.method)

    @action(detail=False)
    def stream(self, request: Any) -> Any:
        return StreamingHttpResponse(iter(["1", "2"]), content_type="application/json")

    @action(detail=False)
    def file(self, request: Any) -> Any:
        OPENED.append(BytesIO(b"{}"))
        return FileResponse(OPENED[-1])

    @action(detail=False, renderer_classes=[StaticHTMLRenderer])
    def html(self, request: Any) -> Any:
        return Response("<p>hello</p>")

    @action(detail=False)
    def page(self, request: Any) -> Any:
        return HttpResponse("<p>hello</p>")

    @action(detail=False)
    def plain(self, request: Any) -> Any:
        return JsonResponse({"plain": "JSON"})

    @action(detail=False)
    def plain_error(self, request: Any) -> Any:
        return HttpResponse("<h1>no</h1>", status=409)

    @action(detail=False)
    def torn(self, request: Any) -> Any:
        return HttpResponse("{", content_type="application/json")

    @action(detail=False)
    def empty(self, request: Any) -> Any:
        return HttpResponse()

    @action(detail=False)
    def nothing(self, request: Any) -> Any:
        return None

    @action(detail=False)
    def fail(self, request: Any) -> Any:
        raise RuntimeError("a secret")

    @action(detail=False)
    def render(self, request: Any) -> Any:
        return Response({"what": object()})

    @action(detail=False)
    def several(self, request: Any) -> Any:
        raise ValidationError(["one", "two"])

    @action(detail=False, methods=["post"])
    def big(self, request: Any) -> Any:
        return Response("x" * request.data["size"])

    @action(detail=False, methods=["post"], parser_classes=[FormParser])
    def form(self, request: Any) -> Any:
        return Response(request.data)

    @action(detail=False, methods=["post"])
    def leave(self, request: Any) -> Any:
        logout(request._request)
        return Response("bye")

    @action(detail=False)
    def whoami(self, request: Any) -> Any:
        return Response(request.user.get_username())

    @action(detail=False)
    def scribble(self, request: Any) -> Any:
        request.user.username = "somebody else"
        raise ValidationError("not so")


# Files that were answered with.
OPENED: list[BytesIO] = []

RAISED: list[Exception] = []


class WrappedTicketViewSet(TicketViewSet):
    """Something of the project's is around its dispatch()."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if RAISED and request.wscontext is None:
            raise RAISED[0]
        return super().dispatch(request, *args, **kwargs)


@method_decorator(login_required, name="dispatch")
class LoginTicketViewSet(TicketViewSet):
    pass


class ViewPermissions(DjangoModelPermissions):
    """Also who reads needs a permission."""

    perms_map = {**DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}


class ViewedTicketViewSet(TicketViewSet):
    permission_classes = [ViewPermissions]


class IsOwner(BasePermission):
    message = "Only its owner may do that."

    def has_object_permission(self, request: Any, view: Any, obj: Ticket) -> bool:
        return request.method == "GET" or obj.owner_id == request.user.pk


class OwnerTicketViewSet(TicketViewSet):
    permission_classes = [IsAuthenticated, IsOwner]


TOKENS: dict[str, User] = {}


class TokenAuthentication(BaseAuthentication):
    """As DRF's, with the tokens in memory."""

    def authenticate(self, request: Any) -> Any:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme != "Token":
            return None
        if token not in TOKENS:
            raise AuthenticationFailed("No such token.")
        return TOKENS[token], token

    def authenticate_header(self, request: Any) -> str:
        return "Token"


class TokenTicketViewSet(TicketViewSet):
    """By a token, or else by the session."""

    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]

    @action(detail=False)
    def whoami(self, request: Any) -> Response:
        django_user = request._request.user
        return Response([request.user.get_username(), request.auth, django_user.get_username()])


class SessionFirstViewSet(TokenTicketViewSet):
    authentication_classes = [SessionAuthentication, TokenAuthentication]


class TwoAMinute(SimpleRateThrottle):
    scope = "two"
    rate = "2/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"throttle:{view.action}:{self.get_ident(request)}"


class ThrottledTicketViewSet(TicketViewSet):
    throttle_classes = [TwoAMinute]


class MemberTicketViewSet(TicketViewSet):
    """Channels that depend on the user's groups."""

    permission_classes = [IsAuthenticated]

    def get_live_channels(self) -> list[str]:
        return [f"group:{group.name}" for group in self.request.user.groups.order_by("name")]


class Pages(PageNumberPagination):
    page_size = 1


class PagedTicketViewSet(TicketViewSet):
    pagination_class = Pages


class UpperRenderer(JSONRenderer):
    """Another spelling of keys, as many a project has."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        changed = {key.upper(): value for key, value in data.items()} if isinstance(data, dict) else data
        return super().render(changed, *args, **kwargs)


class UpperTicketViewSet(TicketViewSet):
    renderer_classes = [UpperRenderer]


class VendorRenderer(JSONRenderer):
    media_type = "application/vnd.api+json"


class VendorTicketViewSet(TicketViewSet):
    renderer_classes = [StaticHTMLRenderer, VendorRenderer]


class FormTicketViewSet(TicketViewSet):
    parser_classes = [FormParser]
    renderer_classes = [StaticHTMLRenderer]


class DetailTicketViewSet(TicketViewSet):
    """Its list is not live."""

    live_actions = ["retrieve"]


class WriteTicketViewSet(TicketViewSet):
    http_method_names = ["post"]


class ReadTicketViewSet(TicketViewSet):
    http_method_names = ["get", "head", "options"]


class SubscribedTicketViewSet(TicketViewSet):
    """Has an action of the name that is an alias elsewhere."""

    @action(detail=False, methods=["post"])
    def subscribe(self, request: Any) -> Response:
        return Response("to the newsletter")


class RecentTicketViewSet(TicketViewSet):
    """An extra action is live, at URLs with more in them."""

    live_actions = ["list", "in_year"]

    @action(detail=False, url_path=r"of/(?P<year>\d+)")
    def in_year(self, request: Any, year: str) -> Response:
        return Response(year)


class SluggedViewSet(ProjectViewSet):
    lookup_url_kwarg = "project"
    lookup_value_regex = "[a-z-]+"


class NestedTicketViewSet(TicketViewSet):
    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.filter(project=self.kwargs["project_pk"])

    def perform_create(self, serializer: Any) -> None:
        serializer.save(project_id=self.kwargs["project_pk"])


class GreedyTicketViewSet(ExtraTicketViewSet):
    """Its keys may have slashes, as it seems."""

    lookup_value_regex = ".+"


class PlacedTicketViewSet(TicketViewSet):
    """Included twice, with a word about where."""

    @action(detail=True)
    def where(self, request: Any, place: str, pk: Any = None) -> Response:
        return Response([place, request.path])


class VersionedTicketViewSet(TicketViewSet):
    versioning_class = URLPathVersioning

    @action(detail=True)
    def version(self, request: Any, version: str, pk: Any = None) -> Response:
        return Response(request.version)


VIEWSETS = {
    "detail": DetailTicketViewSet,
    "extra": ExtraTicketViewSet,
    "form": FormTicketViewSet,
    "greedy": GreedyTicketViewSet,
    "login": LoginTicketViewSet,
    "member": MemberTicketViewSet,
    "odd": OddTicketViewSet,
    "own": OwnTicketViewSet,
    "owner": OwnerTicketViewSet,
    "paged": PagedTicketViewSet,
    "read": ReadTicketViewSet,
    "recent": RecentTicketViewSet,
    "slugged": SluggedViewSet,
    "subscribed": SubscribedTicketViewSet,
    "session": SessionFirstViewSet,
    "throttled": ThrottledTicketViewSet,
    "token": TokenTicketViewSet,
    "upper": UpperTicketViewSet,
    "vendor": VendorTicketViewSet,
    "viewed": ViewedTicketViewSet,
    "write": WriteTicketViewSet,
    "wrapped": WrappedTicketViewSet,
}

router = DefaultRouter()
for prefix, viewset in VIEWSETS.items():
    router.register(prefix, viewset, basename=prefix)

nested = DefaultRouter()
nested.register("tickets", NestedTicketViewSet, basename="nested")

versioned = DefaultRouter()
versioned.register("tickets", VersionedTicketViewSet, basename="versioned")

places = DefaultRouter()
places.register(r"at/(?P<place>.+)/tickets", GreedyTicketViewSet, basename="placed")

placed = DefaultRouter()
placed.register("tickets", PlacedTicketViewSet, basename="includes")

spaced = DefaultRouter()
spaced.register("tickets", ExtraTicketViewSet, basename="extra")

twice = DefaultRouter()
twice.register("tickets", TicketViewSet, basename="twice")

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/of/<int:project_pk>/", include(nested.urls)),
    path("api/<str:version>/versioned/", include(versioned.urls)),
    path("api/", include(places.urls)),
    path("public/", include(placed.urls), {"place": "public"}),
    path("internal/", include(placed.urls), {"place": "internal"}),
    # Of these two the names of the routes say which is meant to nobody.
    path("first/", include(twice.urls)),
    path("second/", include(twice.urls)),
    path("one/", include((spaced.urls, "tickets"), namespace="one")),
    path("two/", include((spaced.urls, "tickets"), namespace="two")),
    path("by-hand/", TicketViewSet.as_view({"get": "list", "post": "create"})),
    path("by-hand/<int:pk>/", TicketViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("post-only/", TicketViewSet.as_view({"post": "create"})),
]
