"""What tests of the embedded proxy share: Hypothesis with no time limits, as the machine may be a busy one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
