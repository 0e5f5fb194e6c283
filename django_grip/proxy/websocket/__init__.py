"""A client's WebSocket in the embedded proxy's core: WebSocket-over-HTTP, from the proxy's side."""
