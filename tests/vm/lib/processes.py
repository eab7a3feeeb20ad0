"""Child processes that never outlive their parent.

Each child is told to die with the thread that started it (PR_SET_PDEATHSIG), so that even a test
killed by SIGKILL leaves nothing behind. A program that changes its user loses that setting: such a
one is ended by stop() alone.
"""

import ctypes
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def turn_signals_into_exits():
    """So that SIGTERM and SIGHUP unwind as ^C does, through every clean-up."""
    def leave(number, _frame):
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


class Process:
    """A child with its output in a log file."""

    def __init__(self, name, argv, log, **options):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self._child = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, preexec_fn=_die_with_parent, **options)

    @property
    def pid(self):
        return self._child.pid

    @property
    def status(self):
        """Exit status, negative for a signal, None while it runs."""
        return self._child.poll()

    def send(self, number):
        self._child.send_signal(number)

    def wait(self, seconds):
        return self._child.wait(seconds)

    def kill(self):
        if self.status is None:
            self._child.kill()
        return self._child.wait()

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL when that does not help; returns the exit status."""
        if self.status is None:
            self._child.terminate()
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
