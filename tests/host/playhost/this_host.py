"""The machine itself in the place of a play host: the same words, nothing emulated."""

import subprocess
import time

from .channel import CommandFailed, Result


class ThisHost:
    def __init__(self):
        self._spawned: dict[int, subprocess.Popen] = {}

    def run(self, *argv, timeout: float = 20, check: bool = True, stdin: str = "") -> Result:
        words = [str(word) for word in argv]
        try:
            done = subprocess.run(words, input=stdin, text=True, capture_output=True,
                                  timeout=timeout)
            result = Result(words, done.returncode, done.stdout, done.stderr)
        except subprocess.TimeoutExpired:
            result = Result(words, -1, "", "", timed_out=True)
        if check and (result.status != 0 or result.timed_out):
            raise CommandFailed(result)
        return result

    def shell(self, script: str, **options) -> Result:
        return self.run("/bin/sh", "-ec", script, **options)

    def spawn(self, *argv, log: str) -> int:
        with open(log, "wb") as stream:
            child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                     stdout=stream, stderr=stream, start_new_session=True)
        self._spawned[child.pid] = child
        return child.pid

    def wait(self, pid: int, timeout: float) -> int | None:
        try:
            return self._spawned[pid].wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def read(self, path: str) -> str:
        return self.run("cat", path).out

    def until(self, script: str, timeout: float = 20) -> Result:
        deadline = time.monotonic() + timeout
        while True:
            result = self.run("/bin/sh", "-c", script, check=False)
            if result.status == 0:
                return result
            if time.monotonic() > deadline:
                raise CommandFailed(result)
            time.sleep(0.1)
