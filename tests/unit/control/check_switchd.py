"""The real switchd as an operator meets it: start, refusal, privileges, restart, stop.

check_switchd.py SWITCHD SWITCHCTL
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DEADLINE_SECONDS = 30
SWITCHD = SWITCHCTL = None


class Switchd:
    """A running switchd; `arguments` come after those that keep it in `directory`."""

    def __init__(self, directory, *arguments, environment=None):
        self.control = directory / "control.sock"
        ready, ready_child = os.pipe()
        try:
            self.process = subprocess.Popen(
                [SWITCHD, "--control-socket", self.control, "--state-file",
                 directory / "state" / "ports.json", "--ready-fd", str(ready_child),
                 *map(str, arguments)],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                pass_fds=(ready_child,), env={**os.environ, **(environment or {})})
        finally:
            os.close(ready_child)
        try:
            if not select.select([ready], [], [], DEADLINE_SECONDS)[0]:
                raise AssertionError("switchd is not ready before the deadline")
            said = os.read(ready, 10)
            if said != b"\n":
                raise AssertionError(f"switchd did not start: {self.process.communicate()[1]}")
            if os.read(ready, 1) != b"":
                raise AssertionError("more than a newline on --ready-fd")
        finally:
            os.close(ready)

    def query(self, *words):
        return json.loads(self.command("--json", *words).stdout)

    def command(self, *words):
        return subprocess.run([SWITCHCTL, "--socket", self.control, *words], check=True,
                              capture_output=True, text=True, timeout=DEADLINE_SECONDS)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        try:
            self.log = self.process.communicate(timeout=DEADLINE_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def refused(*arguments):
    """Status and message of a start that fails."""
    result = subprocess.run([SWITCHD, *map(str, arguments)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return result.returncode, result.stderr


class SwitchdTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.directory.chmod(0o755)

    def start(self, *arguments, **more):
        switch = Switchd(self.directory, *arguments, **more)
        self.addCleanup(switch.kill)
        return switch

    def connects(self, path):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    def test_ready_means_that_every_socket_listens_and_signals_stop_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            switch = self.start("--port", "a", "--port", f"b={self.directory}/other.sock")
            for name in ("a.sock", "other.sock", "control.sock"):
                self.connects(self.directory / name)
            self.assertEqual(switch.stop(number), 0, number)
            self.assertEqual(list(self.directory.glob("*.sock")), [])

    def test_hang_up_does_not_stop_it(self):
        switch = self.start("--port", "a")
        switch.process.send_signal(signal.SIGHUP)
        self.assertEqual(switch.query("status")["ports"], 1)
        self.assertEqual(switch.stop(), 0)

    def test_systemd_is_told(self):
        path = self.directory / "notify.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(DEADLINE_SECONDS)
            switch = self.start("--port", "a", environment={"NOTIFY_SOCKET": str(path)})
            self.assertIn(b"READY=1", notify.recv(4096))
            switch.stop()
            self.assertIn(b"STOPPING=1", notify.recv(4096))

    def test_unusable_configurations_are_refused_before_anything_starts(self):
        control = self.directory / "control.sock"
        for text, words in (("[switch\n", ("bad.toml:1",)),
                            ("[switch]\npol = 'busy'\n", ("bad.toml:2", "'pol'")),
                            ("[[port]]\nname = 'a'\n[[port]]\nname = 'a'\n",
                             ("bad.toml:4", "'name'"))):
            (self.directory / "bad.toml").write_text(text)
            for extra in ((), ("--check-config",)):
                status, message = refused("--config", self.directory / "bad.toml",
                                          "--control-socket", control, *extra)
                self.assertEqual(status, 2, message)
                self.assertEqual(len(message.splitlines()), 1, message)
                for word in words:
                    self.assertIn(word, message)
        status, message = refused("--control-socket", control, "--workers", "8191")
        self.assertEqual(status, 2)
        self.assertIn("--workers", message)
        self.assertFalse(control.exists())

    def test_a_good_configuration_is_only_checked(self):
        result = subprocess.run([SWITCHD, "--check-config", "--port", "a", "--control-socket",
                                 self.directory / "control.sock", "--state-file",
                                 self.directory / "none.json"],
                                capture_output=True, text=True, check=True)
        self.assertIn("good", result.stdout)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_a_second_switch_is_refused_and_the_first_runs_on(self):
        switch = self.start("--port", "a")
        status, message = refused("--control-socket", switch.control, "--state-file",
                                  self.directory / "x.json", "--port", "b")
        self.assertEqual(status, 1, message)
        self.assertIn("control", message)
        status, message = refused("--control-socket", self.directory / "second.sock",
                                  "--state-file", self.directory / "x.json",
                                  "--port", f"a={self.directory}/a.sock")
        self.assertEqual(status, 1, message)
        self.assertIn("a.sock", message)
        self.assertEqual(switch.query("status")["ports"], 1)
        self.connects(self.directory / "a.sock")
        self.assertEqual(switch.stop(), 0)

    def test_ports_added_at_run_time_are_back_after_a_restart_and_after_a_crash(self):
        switch = self.start("--port", "a")
        switch.command("port", "add", "kept", "--isolated", "--static-mac", "52:54:00:00:00:01")
        switch.command("port", "add", "passing", "--transient")
        self.assertEqual(switch.stop(), 0)
        for end in (lambda each: each.stop(), lambda each: each.kill()):
            switch = self.start("--port", "a")
            ports = {port["name"]: port for port in switch.query("port", "list")["ports"]}
            self.assertEqual(set(ports), {"a", "kept"})
            self.assertTrue(ports["kept"]["isolated"])
            self.assertEqual(switch.query("mac", "list")["macs"][0]["port"], "kept")
            self.connects(self.directory / "kept.sock")
            end(switch)
        switch = self.start("--port", "a")
        switch.command("port", "remove", "kept")
        switch.stop()
        switch = self.start("--port", "a")
        self.assertEqual(switch.query("status")["ports"], 1)

    def test_a_broken_state_file_is_an_error(self):
        (self.directory / "state").mkdir()
        (self.directory / "state" / "ports.json").write_text("{")
        status, message = refused("--control-socket", self.directory / "control.sock",
                                  "--state-file", self.directory / "state" / "ports.json")
        self.assertEqual(status, 2)
        self.assertIn("ports.json", message)

    def test_bad_lines_do_not_touch_it(self):
        switch = self.start("--port", "a")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_SECONDS)
            client.connect(str(switch.control))
            client.sendall(b"not JSON\n")
            self.assertIn(b"-32700", client.recv(4096))
        self.assertEqual(switch.query("status")["ports"], 1)

    def status_of(self, switch):
        lines = Path(f"/proc/{switch.process.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    @unittest.skipUnless(os.geteuid() == 0, "only root can drop privileges")
    def test_root_becomes_the_user_for_good(self):
        sockets = self.directory / "sockets"
        self.directory.chmod(0o777)
        switch = self.start("--user", "nobody", "--socket-dir", sockets, "--port", "a",
                            "--socket-group", "a=users")
        status = self.status_of(switch)
        self.assertEqual(set(status["Uid"].split()), {"65534"})
        self.assertEqual(set(status["Gid"].split()), {"65534"})
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        facts = (sockets / "a.sock").stat()
        self.assertEqual((facts.st_uid, facts.st_mode & 0o777), (65534, 0o660))
        self.assertEqual((sockets / "a.sock").group(), "users")
        switch.command("port", "add", "late", "--group", "users")
        self.assertEqual((sockets / "late.sock").group(), "users")
        with self.assertRaises(subprocess.CalledProcessError) as failure:
            switch.command("port", "add", "bad", "--owner", "root")
        self.assertIn("socket_owner", failure.exception.stderr)
        self.assertEqual(switch.stop(), 0)

    def test_core_dumps_are_off(self):
        switch = self.start()
        limits = Path(f"/proc/{switch.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    SWITCHD, SWITCHCTL = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1], verbosity=2)
