"""A VM run through the launcher's driver by vmm_drive, and what it tells of itself."""

import ctypes
import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

from image import image  # first: it makes tests/vm's library known
from lib.deadline import Deadline, wait_for

MEMORY = 128 << 20
# Guests inside an emulated host boot in 20 s, and a busy machine must not fail them.
PATIENCE = float(os.environ.get("LAUNCHER_VMM_PATIENCE", "120"))
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 ipv6.disable=1 printk.devkmsg=on cryptomgr.notests "
                "mitigations=off tsc=reliable rdinit=/init")


def has_landlock():
    """Whether the kernel has what cloud-hypervisor needs of it: ABI 3."""
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, version) >= 3


class VmError(AssertionError):
    """The driver or the VMM failed; the message holds what it said."""


class Vm:
    """`nets` are the interfaces of its start, `words` the guest's arguments (guest/init)."""

    def __init__(self, name, directory, kind, program, user=0, nets=(), words=(), **more):
        self.name = name
        self.directory = Path(directory) / name
        self.directory.mkdir(mode=0o700)
        os.chown(self.directory, user, user)
        self.console = Path(directory) / f"{name}.console"
        self.log = Path(directory) / f"{name}.log"
        self.ended = None
        self._lines = []
        self._changed = threading.Condition()
        built = image(os.environ["SWITCHD_GUEST_IMAGE"])
        spec = {"name": name, "program": str(program), "directory": str(self.directory),
                "kernel": str(built.kernel), "initramfs": str(built.initramfs), "memory": MEMORY,
                "nets": list(nets), "command_line": " ".join([COMMAND_LINE, "--", *words]),
                "landlock": kind == "cloud-hypervisor" and has_landlock(), **more}
        spec_file = Path(directory) / f"{name}.json"
        spec_file.write_text(json.dumps(spec))
        self._drive = subprocess.Popen(
            [os.environ["VMM_DRIVE"], kind, spec_file, self.console, self.log, str(user)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._drive.stdout:
            with self._changed:
                self._lines.append(json.loads(line))
                self.ended = self._lines[-1].get("ended", self.ended)
                self._changed.notify_all()

    def said(self):
        with self._changed:
            return list(self._lines)

    def wait_said(self, matches, what, after=0, seconds=PATIENCE):
        """The first line of the driver from number `after` on for which matches() is true."""
        deadline = Deadline(seconds)
        with self._changed:
            while True:
                for line in self._lines[after:]:
                    if matches(line):
                        return line
                deadline.check(f"{self.name}: {what}\n{self.tail()}")
                self._changed.wait(min(1, deadline.left()))

    def do(self, command, seconds=PATIENCE, **arguments):
        """Has the driver do it; its result, or VmError with its words."""
        after = len(self.said())
        self._drive.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._drive.stdin.flush()
        line = self.wait_said(lambda l: command in (l.get("done"), l.get("failed")),
                              f"an end of {command}", after, seconds)
        if "error" in line:
            raise VmError(line["error"])
        return line["result"]

    def wait_event(self, kind, after=0):
        return self.wait_said(lambda l: l.get("event") == kind, f"event {kind}", after)

    def wait_ended(self):
        self.wait_said(lambda l: "ended" in l, "the end of the VMM")
        return self.ended

    def position(self):
        """Where the console is now: lines behind it came later."""
        return self.console.stat().st_size if self.console.exists() else 0

    def wait_line(self, pattern, after=0, seconds=PATIENCE):
        """The match of what the guest said (guest/init) on the console behind position `after`."""
        expression = re.compile(rf"guest: {pattern}")

        def found():
            if self.ended is not None:
                raise VmError(f"{self.name}: the VMM ended with {self.ended} while waiting for "
                              f"'{pattern}'\n{self.tail()}")
            text = self.console.read_bytes()[after:].decode(errors="replace")
            text = text[:text.rfind("\n") + 1]  # whole lines
            return expression.search(text)
        return wait_for(found, seconds, lambda: f"{self.name}: '{pattern}'\n{self.tail()}")

    def process(self):
        """Process id of the VMM, a child of vmm_drive."""
        children = Path(f"/proc/{self._drive.pid}/task/{self._drive.pid}/children").read_text()
        return int(children.split()[0])

    def type_until_heard(self, text):
        """A line typed on the console, again each two seconds: an edge of the serial port's
        interrupt is lost now and then under TCG."""
        after, deadline = self.position(), Deadline(PATIENCE)
        while True:
            self.do("type", text=text + "\n")
            try:
                return self.wait_line(f"heard .*{text}", after, 2)
            except AssertionError:
                deadline.check(f"{self.name} hears what is typed")

    def tail(self):
        def end_of(path):
            return path.read_text(errors="replace")[-3000:] if path.exists() else ""
        return (f"--- driver\n{self._lines[-15:]}\n--- console\n{end_of(self.console)}\n"
                f"--- VMM\n{end_of(self.log)}")

    def close(self):
        self._drive.stdin.close()
        self._drive.wait(20)
        self._drive.stdout.close()


def seconds_since(start):
    return f"{time.monotonic() - start:.1f} s"
