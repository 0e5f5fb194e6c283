"""`WebSocketAPIView`: a WebSocket with Django REST framework's policies and serializers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ParseError
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.encoders import JSONEncoder

from ...exceptions import ResponseTooLarge
from ...refusals import show_path
from ...views.flow import Course, blocking
from ...views.messages import get_codec
from ...views.websocket import WebSocketView
from ..channels import find_user_key, pair_channel, user_channel
from ..faults import report_fault
from ..websocket.answers import UNSENDABLE, name_errors, name_too_large, read_wait
from ..websocket.messages import BadMessage, error_answer, response_answer
from .actions import INHERITED, WSAction, check_serializer_class, find_ws_actions, ws_action
from .calls import WSCall, read_call
from .policies import SocketPolicies

if TYPE_CHECKING:
    from rest_framework.request import Request

__all__ = ["WebSocketAPIView", "ws_action"]

logger = logging.getLogger("django_grip")


class WebSocketAPIView(WebSocketView, SocketPolicies):
    """A WebSocket endpoint as an API view: permissions, throttles and serializers are those of any `APIView`.

    serializer_class: validates the data of each message; None: it is taken as it comes.

    Authentication and permissions are asked at the opening and whenever anything comes, with ``self.action`` as
    "on_open"; and once more, with the throttles, for each message: then it is the name of its action, or "on_message".

    What DRF has an answer for (an `APIException`, Http404, ...) refuses an opening with DRF's own response; raised for
    a message, it is answered ``{"type": "error", "ref": ..., "status": 400, "errors": {...}}``, what the message did
    in its transaction is undone, and the connection stays. See `on_error` for the rest.

    In every hook and action: all that `WebSocketView` has; ``self.request`` is DRF's; ``self.ref`` is the message's,
    or None; ``self.serializer`` has validated it: ``self.serializer.save()``.
    """

    encoding = "json"
    encoder: type[json.JSONEncoder] | None = JSONEncoder
    serializer_class: type[BaseSerializer] | None = None

    if TYPE_CHECKING:
        # In answer() it is Django's still.
        request: Request

    ref: str | int | None = None
    serializer: BaseSerializer | None = None

    # What a client's handshake is; DRF tells it in Allow.
    transport_methods: ClassVar[tuple[str, ...]] = ("GET",)
    list_names: ClassVar[tuple[str, ...]] = (
        *WebSocketView.list_names,
        "authentication_classes",
        "permission_classes",
        "throttle_classes",
    )

    # Whether a message is being answered.
    _in_message: bool = False

    # -- hooks -------------------------------------------------------------------------------------------------------

    def on_message(self, data: Any) -> Any:
        """A message came that calls no action; data: the whole message, validated. Returns nothing."""

    @blocking
    def on_error(self, error: Exception) -> Any:
        """A hook or an action raised what DRF has no answer for; its changes to ``self.state`` are undone.

        The default logs it, and answers a message with status 500. In other hooks it raises on, as `WebSocketView`
        does: the client is refused, or closed with 1011; do so here to have messages end their connection, too.
        """
        if not self._in_message:
            raise error
        report_fault(error, self._http_request, sender=type(self))
        self._answer_error(500, {"detail": "server error"})

    # -- the class ---------------------------------------------------------------------------------------------------

    @classmethod
    def get_ws_actions(cls) -> Mapping[str, WSAction]:
        """What clients may call, by name."""
        actions: dict[str, WSAction] | None = cls.__dict__.get("_ws_actions")
        if actions is None:
            cls._ws_actions = actions = find_ws_actions(cls, WebSocketAPIView, reserved=cls.hook_names)
        return actions

    _ws_actions: ClassVar[dict[str, WSAction]]

    @classmethod
    def check_class(cls, initkwargs: Mapping[str, Any]) -> None:
        if cls.encoding != "json":
            raise ImproperlyConfigured(f'{cls.__name__}.encoding must be "json", not {cls.encoding!r}.')
        serializer_class = initkwargs.get("serializer_class", cls.serializer_class)
        check_serializer_class(serializer_class, f"{cls.__name__}.serializer_class")
        super().check_class(initkwargs)

    @classmethod
    def _own_hooks(cls) -> list[str]:
        # Actions are called like hooks, so they are sync or async like them.
        return [*super()._own_hooks(), *(action.method for action in cls.get_ws_actions().values())]

    # -- serializers -------------------------------------------------------------------------------------------------

    def get_serializer_class(self) -> type[BaseSerializer] | None:
        """What validates the data of the message; depends on ``self.action``. None: nothing does."""
        action = self.get_ws_actions().get(self.action or "")
        if action is None or action.serializer_class is INHERITED:
            return self.serializer_class
        own: type[BaseSerializer] | None = action.serializer_class
        return own

    # -- channels ----------------------------------------------------------------------------------------------------

    def subscribe(self, channel: str, filters: Iterable[str] = ()) -> None:
        super().subscribe(channel, filters)
        key = find_user_key(self.request.user)
        if key is not None:
            # Where close_subscribers() finds it. So of the channels of a proxy each takes two.
            self._session.subscribe(pair_channel(key, channel))

    def unsubscribe(self, channel: str) -> None:
        super().unsubscribe(channel)
        key = find_user_key(self.request.user)
        if key is not None:
            self._session.unsubscribe(pair_channel(key, channel))

    def _subscribe(self) -> Course[None]:
        yield from super()._subscribe()
        key = find_user_key(self.request.user)
        if key is not None:
            self._session.subscribe(user_channel(key))

    # -- the course of one request -----------------------------------------------------------------------------------

    def answer(self) -> Course[HttpResponseBase]:
        session = self.request.wscontext
        assert session is not None  # noqa: S101 - for mypy; course() has looked
        self._opening = session.is_opening()
        response: HttpResponseBase
        try:
            yield from self._admit()
            response = yield from super().answer()
        except _Ended as ended:
            response = ended.response
        if response is not self.__dict__.get("response"):
            # What refuses the opening, or ends the connection.
            response = yield self._finish, (response,)
        return response

    def _admit(self) -> Course[None]:
        """Ask for the right to have this connection, as DRF does before it calls a handler."""
        try:
            yield self._begin, (self.request, self._opening)
        except Exception as error:
            yield from self._end_for(error)
            raise

    def _end_for(self, error: Exception) -> Course[None]:
        """End the connection with DRF's answer to an error; if it has none, do nothing."""
        response = yield self._explain, (error,)
        if response is None:
            return
        if not self._opening and self._is_unauthenticated(error):
            # Without an authenticator that names a scheme, DRF would say 403, and the client be told 4403.
            response.status_code = 401
        raise _Ended(response) from error

    def _run_hook(self, hook: Callable[..., Any], *arguments: Any) -> Course[Any]:
        self._in_message, self.ref, self.serializer = False, None, None
        self.action = hook.__name__
        self._stand_for("GET", {})
        return (yield from super()._run_hook(hook, *arguments))

    def _ask_on_error(self, error: Exception) -> Course[Any]:
        if not self._in_message:
            yield from self._end_for(error)
        elif (response := (yield self._explain, (error,))) is not None:
            self.state = self._memory.restore()
            self._answer_response(response)
            return None
        return (yield from super()._ask_on_error(error))

    # -- one message -------------------------------------------------------------------------------------------------

    def read_message(self) -> str:
        # As text: what is no JSON is answered, like all that is wrong with a message.
        text: str = get_codec("text").receive(self._session, self.max_message_size)
        return text

    def take_message(self, text: str) -> Course[None]:
        self._in_message, self.ref, self.serializer = True, None, None
        try:
            call = yield from self._read_call(text)
            answer = yield from self.in_transaction(self._perform(call))
            if answer is not None:
                self._send_answer(answer)
        except Exception as error:  # noqa: BLE001 - DRF has an answer, or on_error decides
            yield from self._ask_on_error(error)

    def _read_call(self, text: str) -> Course[WSCall]:
        """What a message calls, if it is permitted. Bad messages count for throttles, too."""
        takes_others = type(self).on_message is not WebSocketAPIView.on_message
        try:
            call = read_call(text, self.get_ws_actions(), takes_others=takes_others)
        except BadMessage as error:
            self.ref = error.ref
            yield self._check_message, (None, {})
            raise ParseError(error.errors) from error
        self.ref = call.ref
        yield self._check_message, (call.action, call.data)
        return call

    def _perform(self, call: WSCall) -> Course[str | None]:
        """Validate the data and call the method. Returns the text of the answer, if there is one."""
        method = getattr(self, call.method)
        data = yield self._validate, (call.data,)
        result = yield method, (data,)
        if call.action == "on_message":
            self.after_hook(method, result)
            return None
        answer: str = yield self._encode_answer, (method, result)
        self.after_hook(method, None)
        return answer

    @blocking
    def _validate(self, data: Any) -> Any:
        if self.get_serializer_class() is None:
            return data
        # A message without data is like a request without a body.
        self.serializer = self.get_serializer(data={} if data is None else data)
        self.serializer.is_valid(raise_exception=True)
        return self.serializer.validated_data

    # -- answers -----------------------------------------------------------------------------------------------------

    @blocking
    def _encode_answer(self, method: Callable[..., Any], result: Any) -> str:
        """What an action returned, as text; a queryset is read here. Raises: TypeError, ValueError if it is no JSON."""
        status, data = 200, result
        if isinstance(result, Response):
            status, data = result.status_code, result.data
        elif isinstance(result, HttpResponseBase):
            raise TypeError(
                f"{type(self).__name__}.{method.__name__} returned {type(result).__name__}: an action returns what is "
                "JSON, a Response of Django REST framework's, or nothing."
            )
        if status < 400:
            answer = response_answer(self.ref, status, data)
        else:
            answer = error_answer(self.ref, status, name_errors(status, data), read_wait(result))
        text: str = self._codec.write(answer)
        return text

    def _send_answer(self, text: str) -> None:
        # Not by self.send(): also who has been closed by the action is answered.
        try:
            self._session.send(text)
        except ResponseTooLarge as error:
            self._answer_error(UNSENDABLE, name_too_large(error))

    def _answer_response(self, response: Any) -> None:
        """Answer a message with what DRF answers to an error."""
        status = response.status_code
        self._answer_error(status, name_errors(status, getattr(response, "data", None)), read_wait(response))

    def _answer_error(self, status: int, errors: Mapping[str, Any], retry_after: int | None = None) -> None:
        # As Django does for a request.
        logger.warning("The action %s at %s: %d.", self.action or "(none)", show_path(self._http_request), status)
        try:
            self._session.send(self._codec.write(error_answer(self.ref, status, errors, retry_after)))
        except ResponseTooLarge:
            # Errors name what was sent, and many long messages fit into one request.
            self.close(1009, "too much at once")


class _Ended(Exception):
    """The opening is refused, or the connection ended, with this response."""

    def __init__(self, response: HttpResponseBase) -> None:
        super().__init__()
        self.response = response
