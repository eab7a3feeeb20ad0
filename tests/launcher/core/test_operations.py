"""Operations on one VM that meet: each waits for the one before it, and nobody is hurt."""

import json
import os
import signal
import socket
import unittest

from runtime_case import LauncherCase, vm

# Its end takes as long as the grace, and longer.
STUBBORN = "no-power-button"
GRACE = 'power_button_grace = "2s"'
# Up, it is not before its time is over.
NEVER_READY = 'ready = { console_line = "never", within = "60s" }'

WAITS = 'ready = { console_line = "echo: go", within = "60s" }'


class Operations(LauncherCase):
    def finish(self, process):
        """Its exit status and what it said of errors."""
        _, error = process.communicate(timeout=60)
        return process.returncode, error

    def ask(self, method, **params):
        """A request that the launcher has before any that comes later; for answer()."""
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(60)
        client.connect(str(self.lab.state / "control.sock"))
        client.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n")
        return client

    def answer(self, client):
        """The error's message; empty: there is none."""
        with client.makefile() as lines:
            message = next(line for line in map(json.loads, lines) if "id" in line)
        return message.get("error", {}).get("message", "")

    def say_go(self, name):
        """On the console, which echoes it: what WAITS waits for."""
        with socket.socket(socket.AF_UNIX) as console:
            console.settimeout(60)
            console.connect(self.lab.vm(name)["console"])
            console.sendall(b"go\n")
            said = b""
            while b"echo: go" not in said:
                said += console.recv(4096)

    def test_stop_twice(self):
        self.lab.up(vm("a", STUBBORN, GRACE) + vm("b"))
        first = self.begin("stop", "a")
        self.lab.wait_line("a: power button pressed")
        second = self.begin("stop", "a")
        self.assertEqual(self.finish(first), (0, ""))
        self.assertEqual(self.finish(second), (0, ""))
        self.assertEqual(self.lab.vm("a")["state"], "stopped")
        self.assertEqual(self.lab.said().count("a: power button pressed"), 1)
        self.end()

    def test_interrupt_while_a_vm_is_stopped(self):
        self.lab.up(vm("a", STUBBORN, GRACE))
        self.begin("stop", "a")
        self.lab.wait_line("a: power button pressed")
        self.end()

    def test_stop_while_a_start_that_failed_is_undone(self):
        self.lab.up(vm("a", STUBBORN + ",no-shutdown",
                       GRACE + '\nready = { console_line = "never", within = "1s" }') + vm("b"), "b")
        starting = self.begin("start", "a")
        self.lab.wait_state("a", "stopping")
        self.lab.run("stop", "a")
        status, error = self.finish(starting)
        self.assertEqual(status, 1)
        self.assertIn("does not say 'never' within 1 s", error)
        self.assertEqual(self.lab.vm("a")["kills"], 1)
        self.end()

    def test_start_while_it_stops(self):
        self.lab.up(vm("a", STUBBORN, GRACE))
        before = self.lab.vm("a")["pid"]
        stopping = self.begin("stop", "a")
        self.lab.wait_line("a: power button pressed")
        self.lab.run("start", "a")
        self.assertEqual(self.finish(stopping), (0, ""))
        after = self.lab.vm("a")
        self.assertEqual(after["state"], "running")
        self.assertNotEqual(after["pid"], before)
        self.end()

    def test_stop_of_a_vm_that_is_not_ready_ends_the_start(self):
        self.lab.up(vm("a", more=NEVER_READY) + vm("b"), "b")
        starting = self.begin("start", "a")
        self.lab.wait_line("a: net0 is attached")
        self.lab.run("stop", "a")
        status, error = self.finish(starting)
        self.assertEqual(status, 1)
        self.assertIn("a: stopped while it started", error)
        self.assertEqual(self.lab.vm("a")["state"], "stopped")
        self.assertEqual(self.lab.switch_ports().keys(), {"b.net0"})
        self.end()

    def test_start_of_a_vm_that_is_started_waits_for_it(self):
        self.lab.up(vm("router", more=WAITS) + vm("app", more='depends = ["router"]'), wait=False)
        self.lab.wait_line("router: net0 is attached")
        starts = [self.ask("start", vms=[name]) for name in ("router", "app")]
        self.say_go("router")
        self.lab.wait_line("everything is up")
        self.assertEqual([self.answer(start) for start in starts], ["", ""])
        self.assertEqual(self.lab.said().count("app: ready"), 1)
        self.end()

    def test_failure_of_a_start_is_shared_and_takes_only_its_own_down(self):
        self.lab.up(vm("a", more=WAITS) + vm("b") + vm("bad", "refuse-boot"), "b")
        first = self.begin("start", "a")
        self.lab.wait_line("a: net0 is attached")
        refused = self.lab.run("start", "a", "b", "bad", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("bad: this machine does not boot", refused.stderr)
        self.assertEqual(self.lab.vm("a")["state"], "starting")
        second = self.ask("start", vms=["a"])
        self.say_go("a")
        self.assertEqual(self.finish(first), (0, ""))
        self.assertEqual(self.answer(second), "")
        states = {one["name"]: one["state"] for one in self.lab.status()["vms"]}
        self.assertEqual(states, {"a": "running", "b": "running", "bad": "failed"})
        self.end()

    def test_start_that_waits_for_a_vm_that_does_not_come_back(self):
        slow = 'restart = { first_delay = "10m", most_delay = "10m" }'
        self.lab.up(vm("router", more=slow) + vm("app", more='depends = ["router"]'), "router")
        os.kill(self.lab.vm("router")["pid"], signal.SIGKILL)
        self.lab.wait_state("router", "backing-off")
        start = self.ask("start", vms=["app"])
        self.lab.run("stop", "router")
        self.assertEqual(self.answer(start), "app: depends on router, which is stopped")
        self.end()


if __name__ == "__main__":
    unittest.main()
