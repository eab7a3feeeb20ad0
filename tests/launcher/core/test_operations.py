"""Operations on one VM that meet: each waits for the one before it, and nobody is hurt."""

import subprocess
import unittest

from runtime_case import LauncherCase, vm

# Its end takes as long as the grace, and longer.
STUBBORN = "no-power-button"
GRACE = 'power_button_grace = "2s"'
# Up, it is not before its time is over.
NEVER_READY = 'ready = { console_line = "never", within = "60s" }'


class Operations(LauncherCase):
    def begin(self, *words):
        """A command that goes on while the test does."""
        process = subprocess.Popen([self.lab.program, *words, "--state-dir", str(self.lab.state)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.lab.environment)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        """Its exit status and what it said of errors."""
        _, error = process.communicate(timeout=60)
        return process.returncode, error

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


if __name__ == "__main__":
    unittest.main()
