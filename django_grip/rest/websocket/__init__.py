"""A live viewset's WebSocket: the subscription, and actions that run as the requests they stand for."""
