"""Devices and interfaces that come and go while a VM runs, and what becomes of them."""

import os
import signal
import unittest
from pathlib import Path

from lab import wait_for
from runtime_case import LauncherCase, vm

# One of this host's, whichever: the vfio-setup of these tests does nothing to it.
ADDRESSES = sorted(path.name for path in Path("/sys/bus/pci/devices").glob("0000:*"))
VFIO_SETUP = """#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >>calls
[ -p hold ] && [ "$1" = bind ] && cat hold >/dev/null
if [ -e "refuse-$1" ]; then echo "no $1 today" >&2; exit 1; fi
if [ "$1" = list ]; then
  echo '{"devices": [{"address": "ADDRESS", "nic": true, "verdict": {"can_be_passed": true}}]}'
fi
"""
SLOW_RESTART = 'restart = { first_delay = "10m", most_delay = "10m" }'


class Interfaces(LauncherCase):
    def test_added_ones_outlive_a_crash_but_not_a_stop(self):
        self.lab.up(vm("a", more='restart = { first_delay = "10ms", most_delay = "10ms" }'))
        self.lab.run("add-net", "a", "--isolated")
        self.lab.run("add-net", "a")
        self.lab.run("remove-device", "a", "net1")
        before = self.lab.vm("a")
        self.assertEqual([port["id"] for port in before["ports"]], ["net0", "net2"])
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: self.lab.vm("a")["restarts"] == 1, "it is started again")
        after = self.lab.wait_state("a", "running")
        self.assertEqual(after["ports"], before["ports"])
        self.assertEqual(self.lab.switch_ports().keys(), {"a.net0", "a.net2"})
        self.lab.run("stop", "a")
        self.lab.run("start", "a")
        self.assertEqual(self.lab.switch_ports().keys(), {"a.net0"})
        self.end()


@unittest.skipUnless(ADDRESSES, "this host has no PCI device")
class Devices(LauncherCase):
    def setUp(self):
        super().setUp()
        self.address = ADDRESSES[-1]
        self.tool = self.lab.path / "vfio-setup"
        self.tool.write_text(VFIO_SETUP.replace("ADDRESS", self.address))
        self.tool.chmod(0o755)

    def up(self, text):
        self.lab.up(text, "--vfio-setup", self.tool)

    def calls(self, word):
        """How often vfio-setup was called for that."""
        path = self.lab.path / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return sum(line.startswith(f"{word} {self.address}") for line in lines)

    def test_added_and_removed(self):
        self.up(vm("a"))
        self.lab.run("add-device", "a", self.address)
        self.assertEqual(self.lab.vm("a")["devices"], [self.address])
        self.lab.run("stop", "a")
        self.assertEqual((self.calls("bind"), self.calls("restore")), (1, 1))
        self.end()

    def test_one_that_it_has_is_refused_and_kept(self):
        self.up(vm("a"))
        short = self.address.removeprefix("0000:")
        self.lab.run("add-device", "a", short)
        self.assertIn(f"no NIC can be passed ({self.address} is one of VM a)",
                      self.lab.run("add-device", "a", "auto", check=False).stderr)
        for again in (short, self.address):
            refused = self.lab.run("add-device", "a", again, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"a: has {self.address} already", refused.stderr)
        self.assertIn("'eth0' is no PCI address",
                      self.lab.run("add-device", "a", "eth0", check=False).stderr)
        self.assertEqual(self.lab.vm("a")["devices"], [self.address])
        self.assertEqual((self.calls("bind"), self.calls("restore")), (1, 0))
        self.lab.run("stop", "a")
        self.assertEqual(self.calls("restore"), 1)
        self.end()

    def test_auto_is_none_that_another_has_or_the_file_names(self):
        self.lab.up(vm("a") + vm("b", more=f'devices = ["{self.address}"]'), "a", "--vfio-setup",
                    self.tool)
        refused = self.lab.run("add-device", "a", "auto", check=False)
        self.assertIn(f"no NIC can be passed ({self.address} is one of VM b)", refused.stderr)
        self.assertEqual(self.calls("bind"), 0)
        self.end()

    def test_vm_that_ends_while_a_device_is_bound_for_it(self):
        self.up(vm("a", more=SLOW_RESTART))
        hold = self.lab.path / "hold"
        os.mkfifo(hold)
        adding = self.begin("add-device", "a", self.address)
        wait_for(lambda: self.calls("bind"), "the device is bound")
        os.kill(self.lab.vm("a")["pid"], signal.SIGKILL)
        self.lab.wait_state("a", "backing-off")
        self.assertIn("a: is backing-off, not running",
                      self.lab.run("add-net", "a", check=False).stderr)
        hold.write_text("go on\n")
        _, error = adding.communicate(timeout=60)
        self.assertEqual(adding.returncode, 1)
        self.assertIn("a: is backing-off, not running", error)
        self.assertEqual(self.calls("restore"), 1)
        self.lab.wait_line("a: is started again in")
        self.assertEqual(self.lab.vm("a")["devices"], [])
        self.end()

    def test_vmm_that_ends_over_an_interface(self):
        self.up(vm("a", "end-at-add-net", SLOW_RESTART))
        refused = self.lab.run("add-net", "a", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the VMM ended: exit status 9", refused.stderr)
        self.lab.wait_line("a: is started again in")
        self.assertEqual(self.lab.switch_ports(), {})
        self.end()


if __name__ == "__main__":
    unittest.main()
