"""QEMU's machine protocol, as far as tests need it: one command at a time, events by name."""

import json
import socket

from .deadline import Deadline, DeadlineMissed, wait_for


class QmpError(AssertionError):
    """QEMU refused a command; the message holds what it said."""


class Qmp:
    def __init__(self, path):
        self._socket = wait_for(lambda: self._connect(path), 10, f"a VMM listens on {path}")
        self._buffer = b""
        self._events = []
        self._receive(Deadline(10), "the greeting")
        self.execute("qmp_capabilities")

    @staticmethod
    def _connect(path):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(str(path))
            return line
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
            return None

    def _receive(self, deadline, what):
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(deadline.left(), 0.001))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                deadline.check(what)
                continue
            if not data:
                raise QmpError(f"the VMM closed its control socket while waiting for {what}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def execute(self, command, seconds=20, **arguments):
        message = {"execute": command}
        if arguments:
            # Python has no hyphens in names, QMP no underscores in these.
            message["arguments"] = {key.replace("_", "-"): value
                                    for key, value in arguments.items()}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        deadline = Deadline(seconds)
        while True:
            answer = self._receive(deadline, command)
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait_event(self, name, seconds=60):
        """The next event of that name, be it that it came already; it is taken."""
        deadline = Deadline(seconds)
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    return event
            try:
                message = self._receive(deadline, f"event {name}")
            except DeadlineMissed as missed:
                raise DeadlineMissed(f"{missed}; there were {self._events}") from None
            self._events.append(message)

    def close(self):
        self._socket.close()
