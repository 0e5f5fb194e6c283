"""The embedded proxy's I/O: it stands as an ASGI application before another, and drives the core."""
