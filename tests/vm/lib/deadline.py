"""Waiting for conditions, never for time."""

import time

POLL_SECONDS = 0.02


class DeadlineMissed(AssertionError):
    """A condition did not come true in time; the message says which."""


class Deadline:
    def __init__(self, seconds):
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self._end - time.monotonic())

    def check(self, what):
        if not self.left():
            raise DeadlineMissed(f"not within {self._seconds} s: {what}")


def wait_for(condition, seconds, what):
    """Calls condition until it returns something true, and returns that."""
    deadline = Deadline(seconds)
    while True:
        result = condition()
        if result:
            return result
        deadline.check(what() if callable(what) else what)
        time.sleep(POLL_SECONDS)
