"""What the tests of the documentation share: a proxy that writes down, and the rig's sites."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from django_grip.publisher import publish_to
from django_grip.publishing import Parcel
from tests.e2e.conftest import make_site, pytest_configure, pytest_generate_tests, stack  # noqa: F401 - the rig's
from tests.fake_proxy import PROXIES

# The apps that some pages import from.
STAND_INS = Path(__file__).parent / "stand_ins"
sys.path.append(str(STAND_INS))


class Recorder:
    """A proxy that takes everything, and remembers it."""

    url = "http://recorder"
    max_bytes = 1_000_000

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        self.items += [json.loads(parcel.body) for parcel in parcels]

    def close(self) -> None:
        pass

    def formats(self, channel: str) -> list[dict[str, Any]]:
        """What was published to a channel, in order."""
        return [item["formats"] for item in self.items if item["channel"] == channel]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Publish to it, and look at once."""
    recorder = Recorder()
    with override_settings(GRIP_PROXIES=PROXIES), publish_to(recorder):
        yield recorder
