"""The launcher with the real switch and a VMM without guests (fake/fake_vmm.cc): up, and down."""

import os
import select
import signal
import subprocess
import unittest

from lab import is_running, processes_below, wait_for
from runtime_case import LauncherCase, vm


class UpAndDown(LauncherCase):
    def test_in_order_and_back(self):
        self.lab.up(vm("app", more='depends = ["router"]') + vm("router"))
        said = self.lab.said()
        self.assertIn(f"state directory {self.lab.state}", said)
        self.assertLess(said.index("router: ready"), said.index("app: started"))
        self.assertEqual([port["state"] for port in self.lab.switch_ports().values()],
                         ["attached", "attached"])
        status = {one["name"]: one for one in self.lab.status()["vms"]}
        self.assertEqual(status["app"]["state"], "running")
        self.assertEqual(status["router"]["restarts"], 0)
        self.end()
        said = self.lab.said()
        self.assertLess(said.index("app: stopped"), said.index("router: power button"))
        self.assertIn("everything is down", said)
        self.assertNotIn("killed", said)

    def test_wanted_vms_pull_in_what_they_depend_on(self):
        self.lab.up(vm("app", more='depends = ["router"]') + vm("router") + vm("other"), "app")
        states = {one["name"]: one["state"] for one in self.lab.status()["vms"]}
        self.assertEqual(states, {"app": "running", "router": "running", "other": "stopped"})
        self.end(signal.SIGTERM)

    def test_down_command(self):
        self.lab.up(vm("a"))
        children = processes_below(self.lab.process.pid)
        self.assertIn("a: stopped", self.lab.run("down").stdout)
        self.assertEqual(self.lab.wait_end(children), 0)
        self.assertFalse(self.lab.state.exists())

    def test_a_vm_that_ignores_the_power_button_is_shut_down(self):
        self.lab.up(vm("a", "no-power-button", 'power_button_grace = "1s"'))
        self.end()
        self.assertIn("does not power off; shut down by force", self.lab.said())
        self.assertNotIn("killed", self.lab.said())

    def test_a_vm_that_ignores_everything_is_killed(self):
        self.lab.up(vm("a", "no-power-button,no-shutdown", 'power_button_grace = "1s"'))
        self.end()
        self.assertIn("VMs that had to be killed: 1", self.lab.said())

    def test_ready_by_console_and_by_address(self):
        self.lab.up(vm("a", "address=10.64.0.77", 'ready = { console_line = "machine is up", '
                       'address = "10.64.0.77", within = 20 }'))
        self.assertNotIn("a.probe", self.lab.switch_ports())
        self.end()

    def test_addresses_that_are_waited_for_hold_up_nothing_else(self):
        names = "abcd"
        silent = 'ready = { address = "10.64.0.77", within = 60 }'
        self.lab.up("".join(vm(name, more=silent) for name in names) + vm("e"), *names, wait=False)

        def asks():
            ports = self.lab.switch_ports()
            return all(ports.get(f"{name}.probe", {}).get("state") == "attached" for name in names)
        self.lab.wait_line("d: net0 is attached")
        wait_for(asks, self.lab.said)
        self.lab.run("start", "e")
        states = {one["name"]: one["state"] for one in self.lab.status()["vms"]}
        self.assertEqual(states, {**dict.fromkeys(names, "starting"), "e": "running"})
        self.end()

    def test_a_launcher_that_is_killed_takes_its_children_along(self):
        self.lab.up(vm("a"))
        children = processes_below(self.lab.process.pid)
        self.assertEqual(len(children), 2)
        self.lab.process.kill()
        self.lab.process.wait()
        wait_for(lambda: not any(map(is_running, children)), "children end")
        # The next one finds nothing in its way.
        self.lab.up(vm("a"))
        self.end()

    def test_one_launcher_a_topology(self):
        self.lab.up(vm("a"))
        second = self.lab.run("up", self.lab.path / "lab.toml", check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"is run by launcher with process id {self.lab.process.pid}", second.stderr)
        self.end()

    def test_ready_descriptor(self):
        path = self.lab.write(vm("a"))
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.lab.process = subprocess.Popen(
            [self.lab.program, "up", "--state-dir", str(self.lab.state), "--ready-fd", str(writer),
             "--switchd", os.environ["SWITCHD"], str(path)], pass_fds=[writer],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=self.lab.environment)
        os.close(writer)
        readable, _, _ = select.select([reader], [], [], 60)
        self.assertTrue(readable)
        self.assertEqual(os.read(reader, 10), b"\n")
        self.lab.output.write_text("")
        self.end()


if __name__ == "__main__":
    unittest.main()
