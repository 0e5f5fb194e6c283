"""A live viewset's answers over HTTP: ETags, long-polls, event streams."""
