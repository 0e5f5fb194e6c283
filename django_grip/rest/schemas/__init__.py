"""What clients of live viewsets may send and hear: for OpenAPI (drf-spectacular), and for ``manage.py asyncapi``."""
