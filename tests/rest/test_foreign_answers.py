"""Live actions that answer with something else than a response of Django REST framework."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.versioning import AcceptHeaderVersioning
from rest_framework.viewsets import ModelViewSet

from .models import Ticket
from .project import TicketSerializer, TicketViewSet
from .serving import Routes
from .sockets import ask, opened

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}


class Foreign(TicketViewSet):
    answer: Any = None

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return type(self).answer()


def answering(make: Any) -> Any:
    return type("Answering", (Foreign,), {"answer": staticmethod(make)})


FILES: list[io.BytesIO] = []


def open_file() -> FileResponse:
    FILES.append(io.BytesIO(b"[]"))
    return FileResponse(FILES[-1])


@pytest.mark.parametrize("make", [lambda: JsonResponse([], safe=False), lambda: HttpResponse("own"), open_file])
def test_who_waits_for_events_is_refused_and_the_log_says_why(
    grip_client: Any, routes: Routes, caplog: pytest.LogCaptureFixture, make: Any
) -> None:
    viewset = answering(make)
    url = routes.add(viewset)
    assert grip_client.get(url).status_code == 200
    assert caplog.records == []
    stream = grip_client.stream(url, headers=STREAM)
    assert (stream.status_code, stream.held) == (406, False)
    assert stream.response.json() == {"detail": "There is no event stream at this address."}
    assert caplog.records[0].getMessage() == (
        f"Answering.list() answers with a {type(make()).__name__}, of which no event stream can be made: return a "
        "Response of Django REST framework."
    )
    # What tells of changes does not come by list().
    with opened(grip_client, url):
        pass


def test_what_it_would_have_sent_is_closed(grip_client: Any, routes: Routes) -> None:
    url = routes.add(answering(open_file))
    grip_client.stream(url, headers=STREAM)
    assert FILES[-1].closed


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: StreamingHttpResponse(iter([b"data: 1\n\n"]), content_type="text/event-stream"), 200),
        (lambda: HttpResponseRedirect("/elsewhere/"), 302),
        (lambda: HttpResponse(status=204), 204),
        (lambda: JsonResponse({}, status=409), 409),
    ],
)
def test_a_stream_of_its_own_and_what_is_no_200_goes_out_as_it_is(
    grip_client: Any, routes: Routes, caplog: pytest.LogCaptureFixture, make: Any, status: int
) -> None:
    stream = grip_client.stream(routes.add(answering(make)), headers=STREAM)
    assert (stream.status_code, stream.held) == (status, False)
    assert "django_grip" not in {record.name for record in caplog.records}


def test_a_response_of_the_framework_streams(grip_client: Any, routes: Routes) -> None:
    Ticket.objects.create(title="x")
    with grip_client.stream(routes.add(answering(lambda: Response([1]))), headers=STREAM) as stream:
        assert stream.receive_event().json() == {"action": "snapshot", "data": [1]}


def test_a_websocket_to_a_viewset_that_is_not_live_is_refused_with_406(grip_client: Any, routes: Routes) -> None:
    class Plain(ModelViewSet):
        queryset = Ticket.objects.all()
        serializer_class = TicketSerializer

    ws = grip_client.websocket(routes.add(Plain))
    assert (ws.status_code, b"Could not satisfy the request Accept header." in ws.response.content) == (406, True)


def test_a_version_in_the_accept_header_is_none_of_a_websocket_s(grip_client: Any, routes: Routes) -> None:
    class Versions(AcceptHeaderVersioning):
        default_version = "1"

    class Versioned(TicketViewSet):
        versioning_class = Versions

        @action(detail=False)
        def version(self, request: Any) -> Response:
            return Response(request.version)

    with opened(grip_client, routes.add(Versioned), headers={"Accept": "application/json; version=2"}) as ws:
        assert ask(ws, "version")["data"] == "1"
