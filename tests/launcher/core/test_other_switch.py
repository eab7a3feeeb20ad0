"""VMs on a switch that is a service of its own, and ends and begins as it likes."""

import os
import shutil
import subprocess
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

    def refused(self, command, path, *words):
        """What a second launcher says, with a state directory of its own."""
        result = subprocess.run([self.lab.program, command, "--state-dir",
                                 str(self.lab.path / "second"), str(path), *words],
                                capture_output=True, text=True, check=False, timeout=60,
                                env=self.lab.environment)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr

    def test_one_launcher_a_vm(self):
        text = self.text + vm("b")
        path = self.lab.write(text)
        self.lab.launch("run", path, "a")
        holder = f"is run by launcher with process id {self.lab.process.pid} (state directory " \
                 f"{self.lab.state}); end that one first"
        self.assertIn(f"VM a of {path} {holder}", self.refused("up", path, "b"))
        self.assertIn(f"VM a of {path} {holder}", self.refused("run", path, "a"))
        self.assertEqual(self.ports()["lab.a.net0"]["vmm_pid"], self.lab.vm("a")["pid"])
        self.end()
        self.lab.up(text)
        self.assertIn("VM b of", self.refused("run", path, "b"))
        self.end()

    def test_port_to_which_a_vmm_is_connected_is_not_taken_over(self):
        self.lab.up(self.text)
        other = self.lab.path / "other"
        other.mkdir()
        (other / "kernel").write_text("a kernel\n")
        (other / "lab.toml").write_text(self.text)
        self.assertIn(f"in use by a VMM, process id {self.lab.vm('a')['pid']}",
                      self.refused("up", other / "lab.toml"))
        self.assertEqual(self.ports()["lab.a.net0"]["state"], "attached")
        self.end()

    @unittest.skipUnless(os.geteuid() == 0, "needs users besides the tests' own")
    def test_ordinary_user_on_a_switch_of_another_user(self):
        own = self.lab.path / "own"
        own.mkdir()
        os.chown(own, 64_300, 64_300)
        self.control.chmod(0o777)  # as control_socket_group would let one in
        self.lab.state = own / "state"
        self.lab.environment.update(XDG_RUNTIME_DIR=str(own), XDG_STATE_HOME=str(own))
        with open(self.lab.output, "w", encoding="utf-8") as output:
            self.lab.process = subprocess.Popen(
                [self.lab.program, "up", "--state-dir", str(self.lab.state),
                 str(self.lab.write(self.text))], user=64_300, group=64_300, extra_groups=[],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=self.lab.environment)
        self.lab.wait_line("everything is up")
        port = self.ports()["lab.a.net0"]
        self.assertEqual((port["state"], port["vmm_uid"], port["allow_uid"]),
                         ("attached", 64_300, [64_300]))
        self.end()

    def test_going_down_without_the_switch(self):
        self.lab.up(self.text)
        self.kill_switch()
        self.lab.wait_line("has gone away")
        self.end()


if __name__ == "__main__":
    unittest.main()
