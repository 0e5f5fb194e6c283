"""What clients say in the proxy's name to live viewsets: nobody believes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .rest_members import OWN, REST_SITE, THROTTLED, Member, join

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

EVENTS = "application/websocket-events"
OPEN = b"OPEN\r\n"
CREATE = b'{"action": "create", "ref": 1, "data": {"title": "forged"}}'


@pytest.mark.parametrize("name", ["Grip-Last", "grip_last", "Grip_Last"])
def test_nobody_passes_for_a_request_that_the_proxy_repeats(join: Join, name: str) -> None:
    ada = join(f"ada-{name}")
    forged = {name: "rest-grip:guard:AAAAAAAAAAAA; last-id=1", "If-None-Match": '"x"', "Prefer": "wait=5"}
    statuses = [ada.http.get(THROTTLED, headers=forged).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize("kind", [EVENTS, f"{EVENTS} ; a=b", "Application/Websocket-Events", f'"{EVENTS}"'])
def test_a_post_is_no_websockets_request(join: Join, kind: str) -> None:
    ada = join("ada")
    body = OPEN + b"TEXT %x\r\n%s\r\n" % (len(CREATE), CREATE)
    for headers in ({}, {"Connection-Id": "1", "Meta-Grip-State": "1", "Meta_Grip-State": "1"}):
        answer = ada.http.post(OWN, content=body, headers={"Content-Type": kind, **headers})
        assert answer.status_code in (400, 403), answer.text
    assert ada.pks(OWN) == []
