"""A client's HTTP request in the embedded proxy's core: holds, what is published to them, links."""
