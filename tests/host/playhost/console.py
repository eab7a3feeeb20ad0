"""Commands in a guest through the root shell on its serial console."""

import itertools
import os
import re
import time


class ConsoleTimeout(AssertionError):
    pass


class Console:
    """`read(seconds)` returns what came, b"" when nothing did; `write(bytes)` types."""

    def __init__(self, name, read, write):
        self.name = name
        self._read, self._write = read, write
        self._numbers = itertools.count(1)
        self.text = ""

    def wait_for(self, pattern, timeout, since=0, poke=b""):
        """The match in what came after position `since`. `poke` is typed each three seconds: a
        serial port's interrupt is lost now and then under emulation."""
        deadline = time.monotonic() + timeout
        next_poke = time.monotonic() + 3
        while True:
            match = re.compile(pattern, re.MULTILINE).search(self.text, since)
            if match:
                return match
            if time.monotonic() > deadline:
                raise ConsoleTimeout(f"{self.name}: no {pattern!r} within {timeout} s; it said:\n"
                                     f"{self.text[-3000:]}")
            if poke and time.monotonic() > next_poke:
                next_poke += 3
                self._write(poke)
            self.text += self._read(0.2).decode(errors="replace").replace("\r", "")

    def try_run(self, command, timeout=30):
        """Output and exit status of a shell command."""
        mark = f"{os.getpid()}.{next(self._numbers)}"  # others may type on the same console
        start = len(self.text)
        # Split, so that the echo of what is typed does not look like the answer.
        self._write(f"echo '<''{mark}>'; {{ {command}\n}} </dev/null; set -- $?; echo; echo '=''{mark}' $1=\n".encode())
        match = self.wait_for(rf"^={re.escape(mark)} (\d+)=", timeout, start, poke=b"\n")
        output = self.text[start:match.start()].split(f"<{mark}>\n")[-1]
        return re.sub(r"^> ?", "", output).strip(), int(match[1])

    def run(self, command, timeout=30, check=True):
        """Output of a shell command; AssertionError when it fails, unless check is False."""
        output, status = self.try_run(command, timeout)
        if check and status:
            raise AssertionError(f"{self.name}: `{command}` ended with {status}:\n{output}")
        return output
