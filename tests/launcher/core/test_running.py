"""A running topology: VMs that end, come and go; the switch; who may do what."""

import os
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from lab import wait_for
from runtime_case import LauncherCase, vm

IS_ROOT = os.geteuid() == 0


class Running(LauncherCase):
    def test_crash_is_restarted_with_backoff(self):
        restart = 'restart = { first_delay = "100ms", most_delay = "1s" }'
        self.lab.up(vm("a", more=restart))
        before = self.lab.vm("a")
        for count in (1, 2):
            os.kill(self.lab.vm("a")["pid"], signal.SIGSEGV)
            wait_for(lambda n=count: self.lab.vm("a")["restarts"] == n, "restart is counted")
            after = self.lab.wait_state("a", "running")
        self.assertNotEqual(after["pid"], before["pid"])
        self.assertEqual(after["ports"], before["ports"])
        self.assertIn("signal 11 (Segmentation fault): fake: started", after["reason"])
        said = self.lab.said()
        self.assertLess(said.index("started again in 100 ms"),
                        said.index("started again in 200 ms"))
        self.assertIn("ended by itself: signal 11", self.lab.run("logs", "a").stdout)
        self.end()

    def test_what_the_guest_does_is_in_the_log(self):
        self.lab.up(vm("a", "panic"))
        log = self.lab.run("logs", "a").stdout.splitlines()
        told = ["warning: the guest's kernel panicked (fake)", "the guest reboots"]
        for text in told:
            self.assertIn("launcher: " + text, log)
            self.assertIn("a: " + text, self.lab.said())
        self.end()

    def test_end_with_status_0_is_not_restarted(self):
        self.lab.up(vm("a") + vm("b", more='restart = { policy = "always", first_delay = "50ms", '
                                          'most_delay = "60ms" }'))
        first = {name: self.lab.vm(name)["pid"] for name in ("a", "b")}
        for name in ("a", "b"):
            control = socket.socket(socket.AF_UNIX)
            control.connect(str(self.lab.state / "vm" / name / "fake.sock"))
            control.sendall(b"power-button\n")
            control.close()
        self.lab.wait_state("a", "stopped")
        wait_for(lambda: self.lab.vm("b")["restarts"] >= 1, "b is started again")
        self.assertNotEqual(self.lab.wait_state("b", "running")["pid"], first["b"])
        self.assertNotIn("a.net0", self.lab.switch_ports())
        self.end()

    def test_stop_during_backoff(self):
        self.lab.up(vm("a", more='restart = { first_delay = "10m", most_delay = "10m" }'))
        os.kill(self.lab.vm("a")["pid"], signal.SIGKILL)
        self.lab.wait_state("a", "backing-off")
        self.lab.run("stop", "a")
        self.assertEqual(self.lab.vm("a")["state"], "stopped")
        self.end()

    def test_stop_while_it_is_started_again(self):
        self.lab.up(vm("a", more='ready = { console_line = "go" }\n'
                                 'restart = { first_delay = "10ms", most_delay = "10ms" }'),
                    wait=False)
        self.lab.wait_line("a: net0 is attached")
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(self.lab.vm("a")["console"])
            console.sendall(b"go\n")
            self.lab.wait_line("everything is up")
        os.kill(self.lab.vm("a")["pid"], signal.SIGKILL)
        self.lab.wait_state("a", "starting")
        self.lab.run("stop", "a")
        self.assertEqual(self.lab.vm("a")["state"], "stopped")
        self.end()

    def test_stop_start_and_dependents(self):
        self.lab.up(vm("app", more='depends = ["router"]') + vm("router"))
        refused = self.lab.run("stop", "router", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("what depends on router is running: app", refused.stderr)
        self.assertIn("--with-dependents", refused.stderr)
        macs = {one["name"]: one["ports"][0]["mac"] for one in self.lab.status()["vms"]}
        told = self.lab.run("stop", "router", "--with-dependents").stdout
        self.assertLess(told.index("app: stopped"), told.index("router: stopped"))
        self.assertEqual(self.lab.switch_ports(), {})
        self.lab.run("start", "app")
        self.assertEqual({one["name"]: one["ports"][0]["mac"] for one in
                          self.lab.status()["vms"]}, macs)
        self.lab.run("restart", "router")
        self.assertEqual(self.lab.vm("app")["state"], "running")
        self.end()

    def test_add_net_and_take_it_away(self):
        self.lab.up(vm("a"))
        added = self.lab.run("add-net", "a", "--isolated").stdout.split()[-1]
        self.assertEqual(added, "net1")
        wait_for(lambda: self.lab.switch_ports()["a.net1"]["state"] == "attached", "net1 attached")
        port = self.lab.switch_ports()["a.net1"]
        self.assertTrue(port["isolated"])
        macs = {one["mac"] for one in self.lab.vm("a")["ports"]}
        self.assertEqual(len(macs), 2)
        wrong = self.lab.run("add-net", "a", "--segment", "nowhere", check=False)
        self.assertIn("no segment 'nowhere'", wrong.stderr)
        self.lab.run("remove-device", "a", "net1")
        self.assertNotIn("a.net1", self.lab.switch_ports())
        self.end()

    def test_device_that_the_guest_lets_go_of_late_is_given_back(self):
        self.lab.up(vm("a", "late"))
        self.lab.run("add-net", "a")
        refused = self.lab.run("remove-device", "a", "net1", check=False)
        self.assertIn("a: the guest has not let go of net1", refused.stderr)
        self.assertIn("a.net1", self.lab.switch_ports())
        self.assertEqual(self.lab.run("add-net", "a").stdout.split()[-1], "net2")
        self.lab.wait_line("a: the guest has let go of net1; removed")
        self.assertEqual(self.lab.switch_ports().keys(), {"a.net0", "a.net2"})
        self.assertEqual(self.lab.run("add-net", "a").stdout.split()[-1], "net1")
        self.end()

    def test_added_nets_have_macs_of_their_own(self):
        self.lab.up(vm("a"))
        for _ in range(2):
            self.lab.run("add-net", "a")
        self.lab.run("remove-device", "a", "net1")
        self.lab.run("add-net", "a")
        macs = [one["mac"] for one in self.lab.vm("a")["ports"]]
        self.assertEqual(len(set(macs)), 3, macs)
        self.end()

    def test_router_gets_a_net_on_a_segment_that_it_does_not_serve(self):
        (self.lab.path / "initramfs").write_bytes(b"")
        segments = '[[switch]]\n[[switch]]\nsegment = "lab"\n'
        self.lab.up(segments + vm("router", more='initramfs = "initramfs"\n[vm.router]')
                    + vm("app", more='net = { segment = "lab" }'))
        self.lab.run("add-net", "router", "--segment", "lab")
        self.assertIn("router.net1", self.lab.switch_ports("lab"))
        for segment in ("default", "lab"):
            refused = self.lab.run("add-net", "router", "--segment", segment, check=False)
            self.assertIn(f"router 'router' has an interface on segment '{segment}' already",
                          refused.stderr)
        self.end()

    def test_switch_that_dies_comes_back_with_its_ports(self):
        self.lab.up(vm("a"))
        pid = self.lab.status()["switches"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.lab.wait_line("running again, ports: 1")
        self.assertIn("a.net0", self.lab.switch_ports())
        self.end()

    def test_two_starts_at_once_start_one_switch(self):
        apart = vm("c", more="net = []")
        self.lab.up(vm("a") + vm("b") + apart, "c")
        starts = [subprocess.Popen([self.lab.program, "start", name, "--state-dir",
                                    str(self.lab.state)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, env=self.lab.environment)
                  for name in ("a", "b")]
        self.assertEqual([start.wait(60) for start in starts], [0, 0], self.lab.said())
        self.assertEqual(self.lab.said().count("switch default: running"), 1, self.lab.said())
        self.assertEqual(set(self.lab.switch_ports()), {"a.net0", "b.net0"})
        self.end()

    def test_running_switch_of_others(self):
        control = self.lab.path / "switch.sock"
        self.start_switch("--port", "mine")

        def names():
            result = subprocess.run([os.environ["SWITCHCTL"], "--socket", str(control), "port",
                                     "list"], capture_output=True, text=True, check=True,
                                    timeout=60)
            return {line.split()[0] for line in result.stdout.splitlines()[1:]}
        text = f'[switch]\ncontrol_socket = "{control}"\n' + vm("a")
        self.lab.up(text)
        self.assertEqual(names(), {"mine", "lab.a.net0"})
        # A launcher that is killed leaves its port behind; the next one replaces it.
        self.lab.process.kill()
        self.lab.process.wait()
        self.lab.up(text)
        self.end()
        self.assertEqual(names(), {"mine"})
        # One VM alone, as a service manager runs it: it ends with the VM.
        self.lab.launch("run", self.lab.path / "lab.toml", "a")
        self.lab.run("stop", "a")
        self.assertEqual(self.lab.wait_end(), 0)
        self.assertEqual(names(), {"mine"})
        self.assertFalse(self.lab.state.exists())

    def test_status_table(self):
        self.lab.up(vm("a"))
        table = self.lab.run("status").stdout
        self.assertRegex(table, r"a +fake +running +\d+ +\d+ +\d+ +0 +02:00:00:")
        self.end()

    @unittest.skipUnless(IS_ROOT, "users are root's to give")
    def test_every_vm_its_own_user(self):
        disk = self.lab.path / "a.disk"
        disk.write_text("blocks")
        disk.chmod(0o644)
        self.lab.up(vm("a", more='disk = { path = "a.disk" }') + vm("b"))
        users = {one["name"]: one["user"] for one in self.lab.status()["vms"]}
        self.assertEqual(len(set(users.values()) | {0}), 3)
        for name, user in users.items():
            status = Path(f"/proc/{self.lab.vm(name)['pid']}/status").read_text()
            self.assertIn(f"Uid:\t{user}\t{user}\t{user}\t{user}", status)
            self.assertIn("CapEff:\t0000000000000000", status)
        switch = self.lab.status()["switches"][0]["pid"]
        self.assertNotIn("Uid:\t0", Path(f"/proc/{switch}/status").read_text())
        port = Path(self.lab.switch_ports()["a.net0"]["socket"])
        self.assertEqual((port.stat().st_mode & 0o777, port.stat().st_uid), (0o600, users["a"]))

        def as_b(script):
            return subprocess.run(["python3", "-c", script], user=users["b"], group=users["b"],
                                  extra_groups=[], capture_output=True, text=True, check=False,
                                  cwd="/", timeout=60)
        connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        for path in (port, self.lab.state / "vm/a/fake.sock", self.lab.state / "console/a.sock"):
            refused = as_b(connect.replace("sys.argv[1]", repr(str(path))))
            self.assertIn("PermissionError", refused.stderr)
        self.assertIn("PermissionError", as_b(f"open({str(disk)!r})").stderr)
        self.assertIn("PermissionError",
                      as_b(f"open({str(self.lab.state / 'log/a.console')!r})").stderr)
        self.end()
        self.assertEqual((disk.stat().st_uid, disk.stat().st_mode & 0o777), (0, 0o644))


if __name__ == "__main__":
    unittest.main()
