"""The embedded GRIP proxy: a core without I/O, and an ASGI shell that puts it in front of an application.

A room of floor 1: it knows no Django. The core is `Engine` (who is subscribed to what, and the exchanges with clients),
with the exchanges of either kind in `http` and `websocket`; the shell is `asgi`, with its parts in `shell`. What of
Pushpin it leaves out, and where it differs on purpose, is in docs/embedded.md.
"""
