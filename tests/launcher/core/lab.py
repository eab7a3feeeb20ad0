"""A running launcher, driven from outside: its process, its commands, and what must not remain."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SECONDS = 60


def wait_for(condition, what, seconds=SECONDS):
    """Until condition() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def processes_below(pid):
    """Process ids of all descendants."""
    found, children = [], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Lab:
    """A directory for topologies, and the launchers that run them."""

    def __init__(self, program):
        self.program = str(program)
        self._directory = tempfile.TemporaryDirectory(prefix="lab", dir="/tmp")
        self.path = Path(self._directory.name)
        self.path.chmod(0o755)
        self.state = self.path / "state"
        self.process = None
        self.output = self.path / "output"
        # An ordinary user's places, for when the tests do not run as root.
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.path),
                                XDG_STATE_HOME=str(self.path))

    def write(self, text, name="lab.toml"):
        path = self.path / name
        path.write_text(text)
        return path

    def up(self, text, *words, wait=True):
        path = self.write(text)
        return self.launch("up", path, *words, wait=wait)

    def launch(self, command, *words, wait=True):
        with open(self.output, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [self.program, command, "--state-dir", str(self.state),
                 "--switchd", os.environ["SWITCHD"], *map(str, words)] if command == "up" else
                [self.program, command, "--state-dir", str(self.state), *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=self.environment)
        if wait:
            self.wait_line("everything is up")
        return self

    def said(self):
        return self.output.read_text(errors="replace")

    def wait_line(self, text, seconds=SECONDS):
        def seen():
            if text in self.said():
                return True
            if self.process.poll() is not None and text not in self.said():
                raise AssertionError(f"launcher ended ({self.process.returncode}) before it said "
                                     f"'{text}':\n{self.said()}")
            return False
        wait_for(seen, lambda: f"'{text}' in\n{self.said()}", seconds)

    def run(self, *words, check=True):
        result = subprocess.run([self.program, *map(str, words), "--state-dir", str(self.state)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=SECONDS, check=False, env=self.environment)
        if check and result.returncode:
            raise AssertionError(f"launcher {' '.join(map(str, words))}: {result.returncode}\n"
                                 f"{result.stdout}{result.stderr}\n{self.said()}")
        return result

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def vm(self, name):
        return next(vm for vm in self.status()["vms"] if vm["name"] == name)

    def wait_state(self, name, state):
        return wait_for(lambda: self.vm(name)["state"] == state and self.vm(name),
                        lambda: f"{name} is {state}: {self.vm(name)}\n{self.said()}")

    def switch_ports(self, segment="default", control=None):
        socket = control or self.state / "switch" / segment / "control.sock"
        result = subprocess.run([os.environ["SWITCHCTL"], "--socket", str(socket), "--json",
                                 "port", "list"], capture_output=True, text=True, check=True,
                                timeout=SECONDS)
        ports = json.loads(result.stdout)
        ports = ports["ports"] if isinstance(ports, dict) else ports
        return {port["name"]: port for port in ports}

    def interrupt(self, number=signal.SIGINT):
        """Ends the launcher; its exit status. Nothing may remain."""
        children = processes_below(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait_end(children)

    def wait_end(self, children=()):
        status = self.process.wait(SECONDS)
        left = [pid for pid in children if is_running(pid)]
        if left:
            raise AssertionError(f"processes remain: {left}\n{self.said()}")
        return status

    def left_over(self):
        """Files below the state directory, logs of a failure apart."""
        return sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*")
                      if path.relative_to(self.state).parts[0] != "log") \
            if self.state.exists() else []

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._directory.cleanup()
