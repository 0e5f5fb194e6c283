"""WebSocketAPIView: messages, actions, and how they are answered."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import CharField, ChoiceField, ListField, Serializer

from django_grip.rest import WebSocketAPIView, ws_action

from ..fake_proxy import binary, close, events_of, sent, text
from ..views.conftest import ending
from .api_sockets import MessageSerializer, Socket, accounts, logged, stack, world

__all__ = ["accounts", "logged", "stack", "world"]


def answers(response):
    """The answers in a response."""
    return [json.loads(message) for message in sent(events_of(response))]


def error(errors, *, ref=None, status=400, **more):
    return {"type": "error", "ref": ref, "status": status, "errors": errors, **more}


def answer(data, *, ref=None, status=200):
    return {"type": "response", "ref": ref, "status": status, "data": data}


class Chat(Socket):
    serializer_class = MessageSerializer

    def on_message(self, data):
        self.send({"heard": data})


class RenameSerializer(Serializer):
    name = CharField()
    tags = ListField(child=CharField(), required=False)


class Room(Socket):
    """Actions alone."""

    @ws_action("rename", serializer_class=RenameSerializer)
    def rename(self, data):
        self.state["name"] = data["name"]
        return {"name": data["name"], "action": self.action, "was": self.request.data}

    @ws_action("echo")
    def repeat(self, data):
        return data

    @ws_action("none")
    def do_nothing(self, data):
        pass

    @ws_action("fail")
    def fail(self, data):
        self.state["failed"] = True
        raise FAILURES[data]()

    @ws_action("state")
    def tell_state(self, data):
        return self.state


class Both(Chat):
    @ws_action("shout", serializer_class=None)
    def shout(self, data):
        return data


FAILURES = {
    "validation": lambda: exceptions.ValidationError({"name": ["Taken."]}),
    "sentence": lambda: exceptions.ValidationError("Taken."),
    "not found": lambda: exceptions.NotFound(),
    "http404": lambda: Http404("nothing here"),
    "denied": lambda: exceptions.PermissionDenied("Not you."),
    "django": lambda: PermissionDenied("Not allowed."),
    "unknown user": lambda: exceptions.NotAuthenticated(),
    "throttled": lambda: exceptions.Throttled(wait=7.2),
    "own": lambda: OwnError(),
    "bug": lambda: RuntimeError("a bug"),
    "stop": lambda: StopIteration(),
}


class OwnError(exceptions.APIException):
    status_code = 409
    default_detail = "In use."


# -- messages that call nothing ----------------------------------------------------------------------------------------


def test_a_message_is_validated_and_handed_over(world):
    ws = world.open(Chat)
    ws.send_json({"text": "hi", "times": "3", "unknown": 1})
    assert ws.receive_json() == {"heard": {"text": "hi", "times": 3}}
    ws.receive_nothing()


def test_a_message_that_does_not_validate_is_answered_and_the_next_is_heard(world):
    ws = world.open(Chat)
    ws.send_json({"text": "much too long", "times": "x"})
    assert ws.receive_json() == error(
        {
            "text": ["Ensure this field has no more than 10 characters."],
            "times": ["A valid integer is required."],
        }
    )
    ws.send_json({"text": "hi"})
    assert ws.receive_json()["heard"]["text"] == "hi"


REFS = [(3, 3), ("a", "a"), ("x" * 101, None), (2**53, None), (1.5, None), (True, None), ([1], None), ({"a": 1}, None)]


def test_an_error_has_the_messages_own_ref_if_it_is_one(world):
    ws = world.open(Chat)
    for ref, told in REFS:
        ws.send_json({"ref": ref, "text": ""})
        assert ws.receive_json() == error({"text": ["This field may not be blank."]}, ref=told)


def test_what_is_no_object_is_the_serializers_to_refuse(world):
    ws = world.open(Chat)
    for message in ([1, 2], "hi", 5, 1.5, True):
        ws.send_json(message)
        text = f"Invalid data. Expected a dictionary, but got {type(message).__name__}."
        assert ws.receive_json() == error({"non_field_errors": [text]})


def test_null_is_a_message_without_data(world):
    ws = world.open(Chat)
    ws.send("null")
    assert ws.receive_json() == error({"text": ["This field is required."]})


def test_without_a_serializer_a_message_is_taken_as_it_comes(world):
    class View(Socket):
        def on_message(self, data):
            self.send([data, self.serializer])

    ws = world.open(View)
    for message in ([1, {"action": "x"}], {"action": 5, "ref": []}, None, "text", 1.5):
        ws.send_json(message)
        assert ws.receive_json() == [message, None]


def test_the_serializer_that_validated_can_save(world):
    class Saving(MessageSerializer):
        def create(self, validated_data):
            return f"saved {validated_data['text']} of {self.context['request'].data['text']}"

    class View(Socket):
        serializer_class = Saving

        def on_message(self, data):
            assert self.serializer.context["view"] is self
            self.send(self.serializer.save())

    ws = world.open(View)
    ws.send_json({"text": " hi "})
    assert ws.receive_json() == "saved hi of  hi "


def test_a_view_that_takes_no_messages_says_so(world):
    ws = world.open(Socket)
    ws.send_json({"ref": 4})
    assert ws.receive_json() == error({"detail": "This WebSocket takes no messages."}, ref=4)


# -- actions -----------------------------------------------------------------------------------------------------------


def test_an_action_is_answered_with_its_ref(world):
    ws = world.open(Room)
    ws.send_json({"action": "rename", "ref": 3, "data": {"name": " x "}})
    assert ws.receive_json() == answer({"name": "x", "action": "rename", "was": {"name": " x "}}, ref=3)
    ws.send_json({"action": "state", "ref": "a"})
    assert ws.receive_json() == answer({"name": "x"}, ref="a")


@pytest.mark.parametrize("message", [{}, {"data": None}, {"ref": None}])
def test_ref_and_data_may_be_absent(world, message):
    ws = world.open(Room)
    ws.send_json({"action": "echo", **message})
    assert ws.receive_json() == answer(None)
    ws.send_json({"action": "none", **message})
    assert ws.receive_json() == answer(None)


def test_data_that_is_absent_is_validated_like_no_body(world):
    ws = world.open(Room)
    ws.send_json({"action": "rename", "ref": 1})
    assert ws.receive_json() == error({"name": ["This field is required."]}, ref=1)


def test_errors_within_data_are_told_as_drf_does(world):
    ws = world.open(Room)
    ws.send_json({"action": "rename", "ref": 1, "data": {"name": [], "tags": ["a", {}]}})
    assert ws.receive_json() == error({"name": ["Not a valid string."], "tags": {"1": ["Not a valid string."]}}, ref=1)


OFFERED = "but: echo, fail, none, rename, state."
NO_NAME = {"action": ['Name the action, as a string such as "list".']}
NO_REF = "A ref is a string of at most 100 characters, or a whole number from -(2^53-1) to 2^53-1."
AN_OBJECT = 'A message is an object such as {"action": "list", "ref": 1}, not'

NO_ACTIONS = [
    ({"action": "nonsense", "ref": 1}, {"action": [f"There is no action 'nonsense' here, {OFFERED}"]}, 1),
    ({"action": "x" * 1000, "ref": 1}, {"action": [f"There is no action '{'x' * 50}...' here, {OFFERED}"]}, 1),
    ({"action": "on_open"}, {"action": [f"There is no action 'on_open' here, {OFFERED}"]}, None),
    ({"action": "repeat"}, {"action": [f"There is no action 'repeat' here, {OFFERED}"]}, None),
    ({"action": ["echo"], "ref": 5}, NO_NAME, 5),
    ({"action": None}, NO_NAME, None),
    ({"ref": 6}, NO_NAME, 6),
    ({"action": "echo", "ref": [1]}, {"ref": [NO_REF]}, None),
    ({"action": "echo", "pk": 1, "ref": 7}, {"detail": "A message has no 'pk'; it may have: action, ref, data."}, 7),
    ([{"action": "echo"}], {"detail": f"{AN_OBJECT} an array."}, None),
    ("echo", {"detail": f"{AN_OBJECT} a string."}, None),
]


def test_a_message_that_is_no_action_is_told_what_there_is(world):
    ws = world.open(Room)
    for message, errors, ref in NO_ACTIONS:
        ws.send_json(message)
        assert ws.receive_json() == error(errors, ref=ref)
    ws.send_json({"action": "echo", "data": "still here"})
    assert ws.receive_json() == answer("still here")


def test_with_actions_what_names_none_goes_to_on_message(world):
    ws = world.open(Both)
    ws.send_json({"text": "hi"})
    assert ws.receive_json() == {"heard": {"text": "hi", "times": 1}}
    ws.send_json({"action": "shout", "ref": 1, "data": ["any"]})
    assert ws.receive_json() == answer(["any"], ref=1)
    ws.send_json({"action": "shuot", "text": "hi"})
    assert ws.receive_json() == error({"detail": "A message has no 'text'; it may have: action, ref, data."})
    ws.send_json({"action": "shuot", "ref": 2})
    assert ws.receive_json() == error({"action": ["There is no action 'shuot' here, but: shout."]}, ref=2)
    ws.send_json(["action"])
    assert ws.receive_json()["errors"] == {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}


def test_an_action_uses_the_views_serializer_unless_it_says_otherwise(world):
    class View(Chat):
        @ws_action("inherits")
        def inherits(self, data):
            return data

    ws = world.open(View)
    ws.send_json({"action": "inherits", "data": {"text": "hi"}})
    assert ws.receive_json() == answer({"text": "hi", "times": 1})


def test_the_serializer_can_depend_on_the_action(world):
    class View(Room):
        def get_serializer_class(self):
            return MessageSerializer if self.action == "echo" else super().get_serializer_class()

        def get_serializer_context(self):
            return {**super().get_serializer_context(), "extra": self.action}

        @ws_action("context")
        def tell_context(self, data):
            return sorted(self.get_serializer_context())

        @ws_action("output")
        def output(self, data):
            self.action = "echo"
            return self.get_serializer({"text": "out", "times": 2}).data

    ws = world.open(View)
    ws.send_json({"action": "echo", "data": {"text": "hi"}})
    assert ws.receive_json()["data"] == {"text": "hi", "times": 1}
    ws.send_json({"action": "context"})
    assert ws.receive_json()["data"] == ["extra", "format", "request", "view"]
    ws.send_json({"action": "output"})
    assert ws.receive_json()["data"] == {"text": "out", "times": 2}


def test_answers_are_written_as_drf_writes_them(world):
    class View(Socket):
        @ws_action("all")
        def tell_all(self, data):
            return {"date": date(2026, 1, 2), "price": Decimal("1.5"), "time": timedelta(minutes=1), "text": "é"}

    ws = world.open(View)
    ws.send_json({"action": "all"})
    assert ws.receive_json()["data"] == {"date": "2026-01-02", "price": 1.5, "time": "60.0", "text": "é"}


def test_an_action_may_return_a_response(world):
    class View(Socket):
        @ws_action("respond")
        def respond(self, data):
            return Response({"did": 1} if data < 400 else ["no"], status=data)

    ws = world.open(View)
    for status, expected in [
        (201, answer({"did": 1}, status=201)),
        (204, answer({"did": 1}, status=204)),
        (409, error({"detail": ["no"]}, status=409)),
    ]:
        ws.send_json({"action": "respond", "data": status})
        assert ws.receive_json() == expected


# -- errors ------------------------------------------------------------------------------------------------------------


NOBODY = "Authentication credentials were not provided."
WAIT = "Request was throttled. Expected available in 8 seconds."
ANSWERED = {
    "validation": error({"name": ["Taken."]}, ref=1),
    "sentence": error({"detail": ["Taken."]}, ref=1),
    "not found": error({"detail": "Not found."}, ref=1, status=404),
    "http404": error({"detail": "nothing here"}, ref=1, status=404),
    "denied": error({"detail": "Not you."}, ref=1, status=403),
    "django": error({"detail": "Not allowed."}, ref=1, status=403),
    "unknown user": error({"detail": NOBODY}, ref=1, status=401),
    "throttled": error({"detail": WAIT}, ref=1, status=429, retry_after=8),
    "own": error({"detail": "In use."}, ref=1, status=409),
}


def test_what_drf_knows_is_answered_and_the_connection_stays(world, logged):
    ws = world.open(Room)
    for failure, expected in ANSWERED.items():
        ws.send_json({"action": "fail", "ref": 1, "data": failure})
        assert ws.receive_json() == expected
        ws.send_json({"action": "state"})
        assert ws.receive_json() == answer({})
    assert logged() == [f"The action fail at /ws/: {expected['status']}." for expected in ANSWERED.values()]


@pytest.mark.parametrize("failure", ["bug", "stop"])
def test_a_bug_is_answered_and_logged_as_django_does(world, logged, caplog, failure):
    ws = world.open(Room)
    ws.send_json({"action": "fail", "ref": "r", "data": failure})
    assert ws.receive_json() == error({"detail": "server error"}, ref="r", status=500)
    assert logged("django.request") == ["Internal Server Error: /ws/"]
    record = next(record for record in caplog.records if record.name == "django.request")
    assert record.status_code == 500
    assert record.exc_info
    ws.send_json({"action": "state"})
    assert ws.receive_json() == answer({})


def test_the_test_client_raises_what_an_action_raised(world):
    class View(Room):
        pass

    world.serve(View)
    client = world.http
    getattr(client, "_inner", client).raise_request_exception = True
    ws = client.websocket("/ws/").__enter__()
    with pytest.raises(RuntimeError, match="a bug"):
        ws.send_json({"action": "fail", "ref": "r", "data": "bug"})


@pytest.mark.parametrize(
    "result", [object(), {1, 2, object()}, float("nan"), HttpResponse("text")], ids=["object", "set", "nan", "http"]
)
def test_a_result_that_is_no_json_is_a_bug(world, logged, caplog, result):
    class View(Room):
        @ws_action("odd")
        def odd(self, data):
            self.state["lost"] = 1
            return result

    ws = world.open(View)
    ws.send_json({"action": "odd", "ref": 1})
    assert ws.receive_json() == error({"detail": "server error"}, ref=1, status=500)
    assert logged("django.request") == ["Internal Server Error: /ws/"]
    ws.send_json({"action": "state"})
    assert ws.receive_json() == answer({})
    if isinstance(result, HttpResponse):
        text = (
            "returned HttpResponse: an action returns what is JSON, a Response of Django REST framework's, or nothing"
        )
        assert text in caplog.text


def test_on_message_returns_nothing(world, caplog):
    class View(Socket):
        def on_message(self, data):
            return {"no": "answer"}

    ws = world.open(View)
    ws.send_json({"ref": 1})
    assert ws.receive_json() == error({"detail": "server error"}, ref=1, status=500)
    assert "View.on_message returned dict" in caplog.text


def test_on_error_may_end_the_connection_for_a_message(world):
    class View(Room):
        def on_error(self, error):
            raise error

    ws = world.open(View)
    ws.send_json({"action": "fail", "ref": 1, "data": "denied"})
    assert ws.receive_json()["status"] == 403
    ws.send_json({"action": "fail", "ref": 1, "data": "bug"})
    assert ending(ws) == (1011, "server error")


def test_on_error_may_answer_otherwise(world):
    class View(Room):
        def on_error(self, error):
            self.send({"sorry": str(error), "ref": self.ref, "action": self.action})

    ws = world.open(View)
    ws.send_json({"action": "fail", "ref": 1, "data": "bug"})
    assert ws.receive_json() == {"sorry": "a bug", "ref": 1, "action": "fail"}
    ws.receive_nothing()


def test_a_projects_exception_handler_is_asked(world, settings):
    class View(Room):
        def get_exception_handler(self):
            return handle

    def handle(error, context):
        if isinstance(error, RuntimeError):
            assert context["view"].action == "fail"
            return Response({"detail": "handled"}, status=418)
        return None

    ws = world.open(View)
    ws.send_json({"action": "fail", "ref": 1, "data": "bug"})
    assert ws.receive_json() == error({"detail": "handled"}, ref=1, status=418)
    ws.send_json({"action": "fail", "ref": 1, "data": "denied"})
    assert ws.receive_json() == error({"detail": "server error"}, ref=1, status=500)


def test_who_is_closed_by_an_action_is_answered_before(world):
    class View(Socket):
        @ws_action("bye")
        def leave(self, data):
            self.close(4000, "bye")
            return "gone"

        @ws_action("fail")
        def fail(self, data):
            self.close(4000, "bye")
            raise exceptions.NotFound

    for action in ("bye", "fail"):
        wire = world.wire(View)
        response = wire.send(
            text(json.dumps({"action": action, "ref": 1})), text(json.dumps({"action": "never", "ref": 2}))
        )
        assert [event[0] for event in events_of(response)] == ["TEXT", "CLOSE"]
        assert sent(events_of(response))[0].startswith(b'{"type":')
        world.routes.urlpatterns.clear()


def test_several_messages_of_one_request_are_answered_in_order(world):
    wire = world.wire(Room)
    messages = [
        {"action": "echo", "ref": 1, "data": "a"},
        {"action": "fail", "ref": 2, "data": "bug"},
        {"action": "nonsense", "ref": 3},
        {"action": "fail", "ref": 4, "data": "denied"},
        {"action": "echo", "ref": 5, "data": "b"},
    ]
    found = answers(wire.send(*(text(json.dumps(message)) for message in messages)))
    assert [(answer["ref"], answer["status"]) for answer in found] == [(1, 200), (2, 500), (3, 400), (4, 403), (5, 200)]


def test_an_answer_too_large_for_the_proxy_is_told(world):
    class View(Room):
        @ws_action("much")
        def much(self, data):
            return "x" * 1_000_000

    ws = world.open(View)
    ws.send_json({"action": "much", "ref": 1})
    told = ws.receive_json()
    assert (told["type"], told["ref"], told["status"]) == ("error", 1, 406)
    assert told["errors"]["detail"].startswith("The action's answer cannot travel over a WebSocket: ")


def test_errors_too_many_for_the_proxy_end_the_connection(world, caplog):
    class Pick(Serializer):
        kind = ChoiceField(["a"])

    class View(Room):
        @ws_action("pick", serializer_class=Pick)
        def pick(self, data):
            pass

    ws = world.open(View)
    long = json.dumps({"action": "pick", "ref": 1, "data": {"kind": "x" * 120_000}})
    ws.send(*[long] * 12)
    assert {json.loads(message)["status"] for message in ws.receive_all()} == {400}
    assert (ws.close_code, ws.close_reason) == (1009, "too much at once")
    assert "Internal Server Error" not in caplog.text


# -- bad input ---------------------------------------------------------------------------------------------------------


NO_JSON = {
    "empty": "",
    "blank": " ",
    "half": "{",
    "word": "nonsense",
    "more": '{"action": "echo"} x',
    "nan": "NaN",
    "infinite": '{"action": "echo", "data": 1e999}',
    "surrogate": '"\\ud800"',
    "deep": "[" * 90_000,
}


def test_what_is_no_json_is_answered_and_the_connection_stays(world):
    ws = world.open(Room)
    for name, message in NO_JSON.items():
        ws.send(message)
        assert ws.receive_json() == error({"detail": "The message is not JSON."}), name
        ws.send_json({"action": "echo", "data": "still here"})
        assert ws.receive_json() == answer("still here")


DEPTHS = [(49, None), (60, "levels"), (400, "levels"), (2_000, "not JSON")]


@pytest.mark.parametrize("kind", ["action", "other"])
def test_deep_data_is_answered_or_refused_but_breaks_nothing(world, kind):
    class View(Both):
        def get_serializer_class(self):
            return None

    ws = world.open(View)
    texts = {
        "levels": error({"detail": "The message is nested too deeply: 100 levels are the most."}, ref=1),
        "not JSON": error({"detail": "The message is not JSON."}),
    }
    for depth, refused in DEPTHS:
        data = '{"name": [' * depth + "1" + "]}" * depth
        head = '"action": "shout", ' if kind == "action" else ""
        ws.send(f'{{{head}"ref": 1, "data": {data}}}')
        told = ws.receive_json()
        if refused is None:
            assert (told["data"] if kind == "action" else told["heard"]["data"]) == json.loads(data)
        else:
            assert told == texts[refused]


def test_a_megabyte_of_json_closes_the_connection(world):
    wire = world.wire(Room)
    response = wire.send(text(json.dumps({"action": "echo", "data": "x" * 1_000_000})))
    kind, content = events_of(response)[-1]
    assert (kind, content) == ("CLOSE", (1009).to_bytes(2, "big") + b"a message may have 131072 bytes")


def test_a_binary_message_closes_the_connection(world):
    wire = world.wire(Room)
    kind, content = events_of(wire.send(binary(b"{}")))[-1]
    assert (kind, content[:2]) == ("CLOSE", (1003).to_bytes(2, "big"))


# -- hooks -------------------------------------------------------------------------------------------------------------


def test_the_other_hooks_are_those_of_a_websocket_view(world):
    seen = []

    class View(Room):
        channels = ["room"]
        subprotocols = ["chat.v1"]

        def on_open(self):
            seen.append((self.action, self.ref, self.request.method))
            self.state["n"] = 1
            self.send({"subprotocol": self.subprotocol})

        def on_refresh(self):
            seen.append((self.action, self.ref, self.request.method))

        def on_close(self, code, reason):
            seen.append((self.action, self.ref, self.request.method, code, reason))

    wire = world.wire(View, sec_websocket_protocol="chat.v1")
    wire.send()
    assert answers(wire.send(text('{"action": "state", "ref": 1}'))) == [answer({"n": 1}, ref=1)]
    wire.send(text('{"action": "echo", "ref": 2}'), close(1000, "bye"))
    assert seen == [
        ("on_open", None, "GET"),
        ("on_refresh", None, "GET"),
        ("on_close", None, "GET", 1000, "bye"),
    ]


@pytest.mark.parametrize(
    ("failure", "code"),
    [("denied", 4403), ("unknown user", 4401), ("not found", 4404), ("own", 1011), ("bug", 1011)],
)
def test_what_other_hooks_raise_ends_the_connection(world, failure, code):
    class View(Room):
        def on_refresh(self):
            raise FAILURES[failure]()

    wire = world.wire(View)
    kind, content = events_of(wire.send())[-1]
    assert (kind, int.from_bytes(content[:2], "big")) == ("CLOSE", code)


def test_publishing_is_that_of_a_websocket_view(world):
    class View(Socket):
        channels = ["room"]

        @ws_action("say", serializer_class=MessageSerializer)
        def say(self, data):
            self.publish(data)

    ws = world.open(View)
    ws.send_json({"action": "say", "ref": 1, "data": {"text": "hi"}})
    # What is published does not wait for the answer.
    assert [ws.receive_json(), ws.receive_json()] == [{"text": "hi", "times": 1}, answer(None, ref=1)]


def test_the_base_class_serves_as_it_is(world):
    class View(WebSocketAPIView):
        pass

    ws = world.open(View)
    ws.send_json({})
    assert ws.receive_json() == error({"detail": "This WebSocket takes no messages."})
