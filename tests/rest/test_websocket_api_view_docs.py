"""The page on WebSocketAPIView: its views do what it says."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from django_grip.testing import GripClient

from ..docs.pages import read, run_page
from ..fake_proxy import PROXIES

PAGE = "rest-websocket.md"

pytestmark = pytest.mark.django_db


@pytest.fixture
def page():
    """The page's program, its first view served."""
    module = run_page(PAGE)
    with override_settings(ROOT_URLCONF=module, GRIP_PROXIES=PROXIES):
        yield module


def dialogues():
    """What a client sends and is answered, for each pair on the page."""
    blocks = re.findall(r"^```json\n(.*?)^```$", read(PAGE), re.MULTILINE | re.DOTALL)
    return [tuple(map(json.loads, block.splitlines())) for block in blocks]


@pytest.fixture
def member():
    client = GripClient()
    client.force_login(User.objects.create_user("ann"))
    return client


def test_what_is_printed_is_answered(page, member):
    pairs = dialogues()
    assert len(pairs) == 2
    with member.websocket("/chat/tea/") as ws:
        for message, answer in pairs:
            ws.send_json(message)
            assert ws.receive_json() == answer


def test_everybody_may_listen_and_who_is_logged_in_may_send(page, member):
    with GripClient().websocket("/chat/tea/") as listener, member.websocket("/chat/tea/") as ws:
        listener.send_json({"text": "hello"})
        assert listener.receive_json()["status"] == 403
        ws.send_json({"text": "hello"})
        assert ws.receive_json() == listener.receive_json() == {"from": "ann", "text": "hello"}


@pytest.mark.parametrize(("view", "status"), [("Chat", 200), ("Moderated", 403)])
def test_an_action_may_be_for_admins(page, member, view, status):
    page.urlpatterns[0].callback = getattr(page, view).as_view()
    with member.websocket("/chat/tea/") as ws:
        ws.send_json({"action": "rename", "ref": 1, "data": {"name": "x"}})
        assert ws.receive_json()["status"] == status


def test_a_bug_may_end_the_connection(page, member, monkeypatch):
    monkeypatch.setattr(page.Strict, "publish", None)
    page.urlpatterns[0].callback = page.Strict.as_view()
    member.raise_request_exception = False
    ws = member.websocket("/chat/tea/").__enter__()
    ws.send_json({"text": "x"})
    assert ws.close_code == 1011


def test_the_async_view_works_too(page, member):
    page.urlpatterns[0].callback = page.AsyncChat.as_view()
    with member.websocket("/chat/tea/") as ws:
        ws.send_json({"text": "x"})
        assert ws.receive_json() == {"text": "x"}
        ws.send_json({"action": "history", "ref": 1})
        assert ws.receive_json()["status"] == 404
