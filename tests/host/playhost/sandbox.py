"""Namespaces around a test, so that nothing of it can be left behind.

The test re-executes itself as process 1 of a process namespace of its own, in a network and a
mount namespace of its own. However it ends, the kernel ends every process it started; the
namespaces, with all interfaces and mounts in them, go with the last of those.
"""

import os
import signal
import subprocess
import sys

DIRECTORY = "/dev/shm"  # exists everywhere; in the sandbox it is the test's own


def enter() -> None:
    """Returns inside the sandbox. Outside of it: runs this program again in there and exits."""
    if os.getpid() == 1:
        # Files of the test: a file system that goes with the mount namespace.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "playhost", DIRECTORY],
                       check=True)
        return
    if os.geteuid() != 0:
        sys.exit("the play host needs root: it makes network namespaces and tap devices")
    # A kill of this process alone must not leave the sandbox behind: unshare is told to die with
    # its parent, and the sandbox with unshare.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", sys.executable, *sys.orig_argv[1:]]
    child = subprocess.Popen(argv, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: child.kill())
    status = child.wait()
    sys.exit(status if status >= 0 else 128 - status)


def on_parent_exit():
    """A preexec function for children that make no sense without us."""
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
