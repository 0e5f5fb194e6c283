"""What uvicorn serves on the embedded engine: a project, by DJANGO_SETTINGS_MODULE, behind the package's own proxy."""

from __future__ import annotations

from django_grip.asgi import get_asgi_application

application = get_asgi_application()
