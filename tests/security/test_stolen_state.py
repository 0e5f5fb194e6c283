"""An attacker with somebody else's state, or with an own one made of it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin

from django_grip.conf import derive_keys
from django_grip.protocol.state import build_state
from django_grip.views import WebSocketView, connection_state

from ..fake_proxy import EVENTS_TYPE, close, events_of, grip_sig, sent, text
from ..views.users import make_session, make_user

CLOSED = [("CLOSE", b"\x11\x31log in again")]
NOT_ITS_OWN = "The WebSocket /ws/ is closed with 4401: "


class Vault(WebSocketView):
    def on_open(self):
        self.state["role"] = self.request.GET.get("role", "guest")

    def on_message(self, message):
        self.send(self.state["role"])

    def on_close(self, code, reason):
        raise AssertionError("on whose behalf?")


@pytest.fixture
def victim(routes, connect):
    """A connection whose role is "admin"."""
    routes.add("ws/", Vault)
    ws = connect("/ws/?role=admin", connection_id="victim")
    assert ws.open().status_code == 200
    assert sent(events_of(ws.send(text("x")))) == [b"admin"]
    ws.path = "/ws/"
    return ws


@pytest.fixture
def attacker(victim, connect):
    ws = connect("/ws/", connection_id="attacker")
    assert ws.open().status_code == 200
    return ws


def test_a_state_replayed_on_another_connection(victim, attacker, logged):
    attacker.meta = dict(victim.meta)
    assert events_of(attacker.send(text("x"))) == CLOSED
    assert logged("django_grip.security") == [NOT_ITS_OWN + "The state's signature is wrong."]
    assert "admin" not in str(logged("django_grip.security"))


def test_a_state_without_a_signature(attacker):
    content = attacker.meta["grip-state"].partition(".")[2]
    for forged in (content, f".{content}", f"{'A' * 24}.{content}"):
        attacker.meta["grip-state"] = forged
        assert events_of(attacker.send(text("x"))) == CLOSED


def test_a_state_with_another_role_and_the_old_signature(attacker):
    signature, _, content = attacker.meta["grip-state"].partition(".")
    forged = b64decode(content).replace(b"guest", b"admin")
    attacker.meta["grip-state"] = f"{signature}.{b64encode(forged).decode()}"
    assert events_of(attacker.send(text("x"))) == CLOSED


def test_a_state_signed_with_a_key_of_the_attackers(attacker):
    head = json.dumps(["grip:connection:t:" + "x" * 22, None, 0, ""])
    binding = f"attacker\n{Vault.__module__}.{Vault.__qualname__}"
    for key in (b"", b"secret", b"\0" * 32, derive_keys("links")[0]):
        attacker.meta["grip-state"] = build_state(f'{head}\n{{"role":"admin"}}', binding=binding, key=key, now=1.8e9)
        assert events_of(attacker.send(text("x"))) == CLOSED


def test_no_state_at_all(attacker):
    attacker.meta.clear()
    assert events_of(attacker.send(text("x"))) == CLOSED


def test_the_state_of_another_view(routes, victim, connect):
    class Other(Vault):
        def on_message(self, message):
            raise AssertionError

    routes.add("other/", Other)
    ws = connect("/other/", connection_id="victim")
    ws.meta = dict(victim.meta)
    assert events_of(ws.send(text("x"))) == CLOSED


@pytest.mark.parametrize("seconds", [7 * 86_400 + 1, -3600, -(10**6)])
def test_a_state_of_another_time(victim, monkeypatch, seconds):
    """Kept for long after, or made ahead of its time."""
    now = connection_state.time.time()
    monkeypatch.setattr(connection_state, "time", type("Clock", (), {"time": staticmethod(lambda: now + seconds)}))
    assert events_of(victim.send(text("x"))) == CLOSED


def test_the_state_of_a_user_after_the_log_out(routes, connect, http, accounts):
    routes.add("ws/", Vault)
    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = connect("/ws/")
    ws.open()
    del http.cookies["sessionid"]
    assert events_of(ws.send(text("x"))) == CLOSED


def test_the_state_of_a_user_with_the_session_of_another(routes, connect, http, accounts):
    routes.add("ws/", Vault)
    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = connect("/ws/")
    ws.open()
    http.cookies["sessionid"] = make_session(make_user("mallory", pk=2))
    assert events_of(ws.send(text("x"))) == CLOSED


def test_a_state_opens_no_door_that_the_view_has_shut(routes, connect, http, accounts):
    """Authority is asked again with every request, and the state is no proof of it."""

    class View(LoginRequiredMixin, Vault):
        pass

    routes.add("ws/", View)
    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = connect("/ws/")
    ws.open()
    del http.cookies["sessionid"]
    assert events_of(ws.send(text("x"))) == CLOSED


def test_a_closed_connection_is_not_opened_again_by_what_follows(routes, connect):
    class View(WebSocketView):
        def on_message(self, message):
            self.close(4000)

    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    assert events_of(ws.send(text("x"))) == [("CLOSE", b"\x0f\xa0")]
    assert events_of(ws.send(text("x"), text("x"))) == []
    assert events_of(ws.send()) == []


@pytest.mark.parametrize("size", [4097, 8000, 100_000])
def test_a_state_of_any_size_that_is_not_ours(attacker, size):
    attacker.meta["grip-state"] = "A" * 24 + "." + "A" * size
    assert events_of(attacker.send(text("x"))) == CLOSED


def test_messages_and_closes_behind_a_state_that_is_not_believed(attacker):
    attacker.meta.clear()
    assert events_of(attacker.send(text("x"), text("y"), close(1000))) == CLOSED


@pytest.mark.parametrize(
    "signature", [None, "", "garbage", grip_sig("another-key-0123456789-abcdefghijklmnop"), grip_sig(age=1)]
)
def test_events_that_the_proxy_did_not_sign(routes, http, victim, signature):
    headers = {"connection-id": "victim", "meta-grip-state": victim.meta["grip-state"]}
    if signature is not None:
        headers["grip-sig"] = signature
    response = http.post("/ws/", b"TEXT 1\r\nx\r\n", content_type=EVENTS_TYPE, headers=headers)
    assert response.status_code == 403
    assert b"admin" not in response.content


def test_the_state_shows_in_no_error_page(routes, connect, settings, http):
    class View(WebSocketView):
        def on_open(self):
            self.state["card"] = "4111 1111"

        def on_message(self, message):
            raise RuntimeError

    settings.DEBUG = True
    settings.ADMINS = [("admin", "admin@example.com")]
    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    response = ws.send(text("x"))
    assert events_of(response)[-1][0] == "CLOSE"
    assert b"4111" not in response.content


def test_meta_that_comes_with_an_opening_is_not_believed(routes, connect):
    routes.add("ws/", Vault)
    ws = connect("/ws/")
    ws.meta = {"grip-state": "forged", "role": "admin"}
    assert ws.open().status_code == 200
    assert sent(events_of(ws.send(text("x")))) == [b"guest"]
