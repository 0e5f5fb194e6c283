"""What GRIP says, as dataclasses and pure functions: no Django, no I/O, no clock."""
