"""A switchd of the test's own, and switchctl to ask it."""

import json
import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .deadline import Deadline
from .processes import Process

READY_SECONDS = 20
CONTROL_SECONDS = 20


class SwitchError(AssertionError):
    """switchd or switchctl failed; the message holds what it said."""


@dataclass
class Programs:
    """Where the programs under test are."""
    switchd: Path
    switchctl: Path


class Switch:
    """`ports` are names; a port's socket is NAME.sock in the directory. `options` go to switchd."""

    def __init__(self, programs, directory, ports, options=()):
        self._programs = programs
        self._directory = Path(directory)
        self.control = self._directory / "control.sock"
        self._ports = list(ports)
        self._options = list(options)
        self.process = None

    def socket(self, port):
        return self._directory / f"{port}.sock"

    def start(self):
        """Returns once every socket listens."""
        ready, ready_child = os.pipe()
        arguments = [self._programs.switchd, "--control-socket", self.control, "--socket-dir",
                     self._directory, "--ready-fd", ready_child, *self._options]
        for port in self._ports:
            arguments += ["--port", f"{port}={self.socket(port)}"]
        try:
            self.process = Process("switchd", arguments, self._directory / "switchd.log",
                                   pass_fds=(ready_child,))
        finally:
            os.close(ready_child)
        try:
            self._wait_ready(ready)
        finally:
            os.close(ready)
        return self

    def _wait_ready(self, ready):
        deadline = Deadline(READY_SECONDS)
        while not select.select([ready], [], [], deadline.left())[0]:
            deadline.check("switchd says it is ready")
        if not os.read(ready, 1):
            raise SwitchError(f"switchd ended with status {self.process.wait(5)}:\n"
                              f"{self.process.log_tail()}")

    def terminate(self):
        """SIGTERM; the switch has to end by itself, with status 0."""
        self.process.send(signal.SIGTERM)
        status = self.process.wait(10)
        if status != 0:
            raise SwitchError(f"switchd ended with status {status} on SIGTERM:\n"
                              f"{self.process.log_tail()}")

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop()

    def command(self, *words):
        """What `switchctl WORDS` prints."""
        result = subprocess.run(
            [str(self._programs.switchctl), "--socket", str(self.control), *map(str, words)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CONTROL_SECONDS,
            check=False)
        if result.returncode:
            raise SwitchError(f"switchctl {' '.join(map(str, words))} ended with status "
                              f"{result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def query(self, *words):
        """The answer of `switchctl --json WORDS`."""
        return json.loads(self.command("--json", *words))
