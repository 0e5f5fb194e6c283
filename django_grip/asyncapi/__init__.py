"""AsyncAPI 3: a document of the realtime endpoints that a URLconf routes, for ``manage.py asyncapi``."""
