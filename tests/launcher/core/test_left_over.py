"""What a launcher that was killed leaves, and what the next one makes of it."""

import os
import stat
import unittest

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


if __name__ == "__main__":
    unittest.main()
