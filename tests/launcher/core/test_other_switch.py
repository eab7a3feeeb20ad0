"""VMs on a switch that is a service of its own, and ends and begins as it likes."""

import os
import shutil
import unittest
from pathlib import Path

from lab import wait_for
from runtime_case import LauncherCase, vm


class OtherSwitch(LauncherCase):
    """As a user of its own where the tests are root's: it may not touch what it gave away."""

    def setUp(self):
        super().setUp()
        self.directory = self.lab.path / "net"
        self.directory.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody")
        self.control = self.directory / "control.sock"
        self.text = f'[switch]\ncontrol_socket = "{self.control}"\n' + vm("a")
        self.switch = self.start()

    def start(self):
        words = ["--user", "nobody"] if os.geteuid() == 0 else []
        return self.start_switch(*words, control=self.control)

    def kill_switch(self):
        self.switch.kill()
        self.switch.wait()

    def ports(self):
        return self.lab.switch_ports(control=self.control)

    def test_switch_that_was_started_again_has_its_ports_again(self):
        self.lab.up(self.text)
        before = self.ports()["lab.a.net0"]
        self.kill_switch()
        self.lab.wait_line("has gone away")
        self.assertIn("switch of segment default is away", self.lab.run("status").stdout)
        self.switch = self.start()
        self.lab.wait_line("is back, ports: 1")
        after = self.ports()["lab.a.net0"]
        self.assertEqual(after["allow_uid"], before["allow_uid"])
        self.assertEqual(Path(after["socket"]).stat().st_uid, before["allow_uid"][0])
        self.lab.run("restart", "a")
        wait_for(lambda: self.ports()["lab.a.net0"]["state"] == "attached", "a is attached")
        self.end()
        self.assertEqual(self.ports(), {})

    def test_socket_that_a_killed_launcher_and_a_killed_switch_left(self):
        self.lab.up(self.text)
        self.lab.process.kill()
        self.lab.process.wait()
        self.kill_switch()
        self.assertTrue((self.directory / "lab.a.net0.sock").is_socket())
        self.switch = self.start()
        self.lab.up(self.text)
        self.end()

    def test_going_down_without_the_switch(self):
        self.lab.up(self.text)
        self.kill_switch()
        self.lab.wait_line("has gone away")
        self.end()


if __name__ == "__main__":
    unittest.main()
