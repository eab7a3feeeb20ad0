"""Commands in a guest through the root shell on its serial console."""

import itertools
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

    def run(self, command, timeout=30, check=True):
        """Output of a shell command; AssertionError when it fails, unless check is False."""
        number = next(self._numbers)
        start = len(self.text)
        # Split, so that the echo of what is typed does not look like the answer.
        self._write(f"echo '<''{number}>'; {{ {command}\n}} </dev/null; echo \"=''{number} $?=\"\n".encode())
        match = self.wait_for(rf"={number} (\d+)=", timeout, start, poke=b"\n")
        output = self.text[start:match.start()].split(f"<{number}>\n")[-1]
        output = re.sub(r"^> ?", "", output)
        status = int(match[1])
        if check and status:
            raise AssertionError(f"{self.name}: `{command}` ended with {status}:\n{output}")
        return output.strip()
