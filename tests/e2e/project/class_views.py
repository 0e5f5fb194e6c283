"""The class-based views of the rig's project, all under ``views/``."""

from __future__ import annotations

from . import member_views, poll_views, socket_views, stream_views

urlpatterns = [
    *socket_views.urlpatterns,
    *stream_views.urlpatterns,
    *poll_views.urlpatterns,
    *member_views.urlpatterns,
]
