"""The commands that speak to a running launcher, its console among them."""

import os
import pty
import select
import socket
import subprocess
import unittest

from lab import wait_for
from runtime_case import LauncherCase, vm


class ConsoleOfAVm(LauncherCase):
    def attach(self):
        """`launcher console a` on a terminal of its own."""
        master, slave = pty.openpty()
        process = subprocess.Popen([self.lab.program, "console", "a", "--state-dir",
                                    str(self.lab.state)], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.lab.environment)
        os.close(slave)
        self.addCleanup(process.wait)
        self.addCleanup(os.close, master)
        seen = bytearray()

        def sees(text):
            def look():
                while select.select([master], [], [], 0)[0]:
                    try:
                        seen.extend(os.read(master, 4096))
                    except OSError:
                        return text in seen
                return text in seen
            wait_for(look, lambda: f"{text} in {bytes(seen)}")
        return process, master, sees

    def test_attach_type_and_detach(self):
        self.lab.up(vm("a"))
        first, keys, sees = self.attach()
        second, _, second_sees = self.attach()
        self.addCleanup(second.kill)
        sees(b"fake machine is up")  # what was said before
        os.write(keys, b"\x03hello")  # ^C goes to the guest
        sees(b"echo: \x03hello")
        second_sees(b"echo: \x03hello")
        os.write(keys, b"\x1d")
        self.assertEqual(first.wait(60), 0)
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.assertIn("echo: ", self.lab.run("logs", "--console", "a").stdout)
        self.end()


class Commands(LauncherCase):
    def test_check_and_help(self):
        path = self.lab.write(vm("b", more='depends = ["a"]') + vm("a"))
        result = self.lab.run("check", path)
        self.assertIn("order of start: a b", result.stdout)
        self.assertIn("a: 02:00:00:", result.stdout)
        self.assertIn("launcher up FILE", self.lab.run("--help").stdout)
        for words in (("up",), ("fly",), ("status", "--force"), ("stop",)):
            self.assertEqual(self.lab.run(*words, check=False).returncode, 2, words)

    def test_check_tells_of_macs_that_may_change(self):
        # Among so many, names share a MAC's last two octets.
        path = self.lab.write("".join(vm(f"vm{number}") for number in range(1500)))
        self.assertRegex(self.lab.run("check", path).stdout,
                         r"warning: \S+:\d+.*: VM vm\d+ has MAC 02:00:00:\S+ because another has the")

    def test_nothing_runs(self):
        result = subprocess.run([self.lab.program, "status", "--state-dir",
                                 str(self.lab.path / "none")], capture_output=True, text=True,
                                check=False, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("is launcher running?", result.stderr)

    def test_hostile_lines_on_the_control_socket(self):
        self.lab.up(vm("a"))
        for line in (b"\n", b"[]\n", b"{}\n", b'{"id":1,"method":"stop","params":{"vm":5}}\n',
                     b'{"id":1,"method":"fly"}\n', b"x" * 100_000, b'{"id":1'):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(self.lab.state / "control.sock"))
            try:
                client.sendall(line)
                if line.endswith(b"\n"):
                    client.settimeout(60)
                    self.assertIn(b"error", client.recv(4096))
            except BrokenPipeError:
                pass
            client.close()
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.end()


if __name__ == "__main__":
    unittest.main()
