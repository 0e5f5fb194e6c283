"""When a test is over: what is told to nobody, and has to be found out.

Django makes ``self.client`` anew for each test, but tells no client that its test has ended. So the running test is
looked for on the stack, and given a clean-up of its own. With pytest its plugin does the same (`pytest_plugin`).
"""

from __future__ import annotations

import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from types import FrameType

from django.test import SimpleTestCase

__all__ = ["at_end_of_test"]

# Their ``self`` is the test. Django makes the client before it calls run().
_RUNNERS = {
    unittest.TestCase.run.__code__,
    unittest.TestCase.debug.__code__,
    SimpleTestCase._setup_and_call.__code__,  # type: ignore[attr-defined]
}


def at_end_of_test(cleanup: Callable[[], None]) -> bool:
    """Have `cleanup` called when the running test ends, before Django rolls its database back.

    False when there is no test case on the stack: under pytest, or in a shell.
    """
    for frame in _frames():
        if frame.f_code in _RUNNERS:
            frame.f_locals["self"].addCleanup(cleanup)
            return True
    return False


def _frames() -> Iterator[FrameType]:
    """Our frames, and those of the main thread: Django runs async tests in a thread of their own."""
    frame: FrameType | None = sys._getframe()
    main = sys._current_frames().get(threading.main_thread().ident or 0)
    for start in (frame, main):
        frame = start
        while frame is not None:
            yield frame
            frame = frame.f_back
