"""How django-grip is built and what it needs."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def read_version() -> str:
    """Read ``__version__`` without importing the package: its dependencies may not be there yet."""
    source = (HERE / "django_grip" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise RuntimeError("django_grip/__init__.py has no __version__ line")
    return found[1]


setup(
    name="django-grip",
    version=read_version(),
    description="Realtime endpoints for Django: WebSockets, streams and long-polls in ordinary views, by GRIP",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="django-grip contributors",
    license="MIT",
    license_files=["LICENSE"],
    keywords=["django", "grip", "pushpin", "fanout", "realtime", "websocket", "sse", "long-polling"],
    packages=find_packages(include=["django_grip", "django_grip.*"]),
    package_data={"django_grip": ["py.typed", "templates/django_grip/rest/*.html", "static/django_grip/rest/*"]},
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "Django>=5.2",
        "gripcontrol>=4.4,<5",
        "pubcontrol>=3.5,<4",
        # 2.12 is the first to refuse tokens with a "crit" it does not know
        "PyJWT>=2.12,<3",
    ],
    extras_require={
        # Django REST framework: django_grip.rest
        "rest": ["djangorestframework>=3.16"],
        # A server for development that speaks WebSocket. 0.50 is the first whose supervisor (--workers) ends when the
        # workers refuse to start, as they do behind the embedded proxy; older ones start new workers for ever. Its
        # WebSocket implementation, which is no longer websockets' deprecated one, needs websockets 13.
        "dev": ["uvicorn>=0.50", "websockets>=13"],
        # publishing over ZeroMQ (control_zmq_uri); tnetstring3 is the package behind "import tnetstring"
        "zmq": ["pyzmq>=26", "tnetstring3>=0.3.1"],
        # public-key signatures: Fastly Fanout, or a proxy that signs with a PEM key
        "crypto": ["cryptography>=42"],
    },
    # Named as the module, so that a project may also name it in ``pytest_plugins``.
    entry_points={"pytest11": ["django_grip.testing.pytest_plugin = django_grip.testing.pytest_plugin"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP",
        "Topic :: Software Development :: Libraries :: Python Modules",
        "Typing :: Typed",
    ],
)
