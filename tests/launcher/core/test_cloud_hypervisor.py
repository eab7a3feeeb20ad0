"""The launcher with its driver of cloud-hypervisor, over an API that refuses, hangs or hangs up
(fake/fake_cloud_hypervisor.py): a clear error, and all that was started is taken down."""

import os
import shlex
import signal
import sys
import unittest
from pathlib import Path

from lab import wait_for
from runtime_case import LauncherCase, vm

FAKE = Path(__file__).resolve().parent / "fake/fake_cloud_hypervisor.py"


class CloudHypervisorApi(LauncherCase):
    PROGRAM = "LAUNCHER"

    def vm(self, name, behaviour="", more=""):
        program = self.lab.path / f"{name}.vmm"
        words = [sys.executable, str(FAKE), os.environ["FAKE_VMM"], behaviour]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        return vm(name, more=more).replace(os.environ["FAKE_VMM"], str(program))

    def takes_down(self, behaviour, words, **options):
        """A router that is up goes down again when the next VM's API behaves like that."""
        self.fails(self.vm("router") + self.vm("bad", behaviour, 'depends = ["router"]'),
                   "bad: cloud-hypervisor " + words, "router: ready", "router: power button pressed",
                   "everything is down", **options)

    def test_refusals(self):
        for status, endpoint in ((404, "vmm.ping"), (400, "vm.create"), (500, "vm.boot")):
            with self.subTest(endpoint):
                self.takes_down(f"{endpoint}={status}",
                                f"refused {endpoint} ({status}): Error from API: No {endpoint} today")
                self.assertNotIn("killed", self.lab.said())

    def test_hanging_up(self):
        self.takes_down("vm.boot=hang-up", "hung up during vm.boot; its log says why")

    def test_silence(self):
        """Its own patience is 60 s while it connects to the switch; here it creates a VM."""
        self.takes_down("vm.create=hang", "gave no answer to vm.create within 15", seconds=100)
        self.assertIn("VMs that had to be killed: 1", self.lab.said())

    def test_interrupted_while_it_is_silent(self):
        self.lab.up(self.vm("good") + self.vm("slow", "vm.boot=hang"), wait=False)
        self.lab.wait_line("good: ready")
        wait_for((self.lab.state / "vm/slow/hangs").exists, self.lab.said)
        self.end()
        self.assertIn("good: power button pressed", self.lab.said())
        self.assertIn("slow: does not end; killed", self.lab.said())

    def test_asked_twice_to_end_while_it_is_silent(self):
        self.lab.up(self.vm("a", "vm.power-button=hang"))
        self.lab.process.send_signal(signal.SIGINT)
        self.lab.wait_line("a: power button pressed")
        self.end()
        self.assertIn("a: power button: is not waited for", self.lab.said())

    def test_what_is_refused_on_a_running_vm_leaves_it_as_it_was(self):
        self.lab.up(self.vm("a", "vm.add-net=500,vm.remove-device=404"))
        refused = self.lab.run("add-net", "a", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("a: cloud-hypervisor refused vm.add-net (500)", refused.stderr)
        wait_for(lambda: list(self.lab.switch_ports()) == ["a.net0"], self.lab.switch_ports)
        refused = self.lab.run("remove-device", "a", "net0", check=False)
        self.assertIn("a: cloud-hypervisor refused vm.remove-device (404)", refused.stderr)
        self.assertEqual(self.lab.switch_ports()["a.net0"]["state"], "attached")
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.end()


if __name__ == "__main__":
    unittest.main()
