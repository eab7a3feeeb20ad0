"""What a launcher that was killed leaves, and what the next one makes of it."""

import os
import socket
import stat
import subprocess
import unittest

from false_switch import FalseSwitch
from runtime_case import LauncherCase, vm


class LeftOver(LauncherCase):
    def kill(self):
        self.lab.process.kill()
        self.lab.process.wait()

    def owner_and_mode(self, path):
        facts = path.stat()
        return facts.st_uid, stat.S_IMODE(facts.st_mode)

    @unittest.skipUnless(os.geteuid() == 0, "disks are root's to give")
    def test_disk_goes_back_to_whom_it_belonged(self):
        disk = self.lab.path / "a.disk"
        disk.write_text("blocks")
        disk.chmod(0o644)
        text = vm("a", more='disk = { path = "a.disk" }') + vm("b")
        self.lab.up(text)
        given = self.owner_and_mode(disk)
        self.assertEqual(given, (self.lab.vm("a")["user"], 0o600))
        self.kill()
        # By one that does not start the VM, too.
        self.lab.up(text, "b")
        self.assertEqual(self.owner_and_mode(disk), (0, 0o644))
        self.assertIn(f"a: {disk} given back", self.lab.said())
        self.lab.run("start", "a")
        self.assertEqual(self.owner_and_mode(disk), given)
        self.kill()
        self.lab.up(text)
        self.end()
        self.assertEqual(self.owner_and_mode(disk), (0, 0o644))

    @unittest.skipUnless(os.geteuid() == 0, "disks are root's to give")
    def test_disk_of_a_vm_that_was_taken_out_of_the_file_goes_back(self):
        disk = self.lab.path / "a.disk"
        disk.write_text("blocks")
        disk.chmod(0o644)
        self.lab.up(vm("a", more='disk = { path = "a.disk" }') + vm("b"))
        self.kill()
        self.lab.up(vm("b"))
        self.assertEqual(self.owner_and_mode(disk), (0, 0o644))
        self.assertIn(f"a: {disk} given back", self.lab.said())
        self.end()

    def test_socket_of_a_killed_launcher_is_no_topology_that_runs(self):
        # Root's topologies are the host's: as an ordinary user, whose place the lab is.
        for name in ("alive", "dead"):
            (self.lab.path / "launcher" / name).mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.lab.path / "launcher/dead/control.sock"))
        control = self.lab.path / "launcher/alive/control.sock"
        alive = FalseSwitch(control, {"status": {"topology": "alive"}})
        self.addCleanup(alive.close)
        control.chmod(0o777)
        result = subprocess.run([self.lab.program, "status", "--json"], capture_output=True,
                                text=True, check=False, timeout=60, env=self.lab.environment,
                                user="nobody" if os.geteuid() == 0 else None)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('"topology": "alive"', result.stdout)


if __name__ == "__main__":
    unittest.main()
