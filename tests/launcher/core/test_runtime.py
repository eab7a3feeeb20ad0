"""The launcher with the real switch and a VMM without guests (fake/fake_vmm.cc)."""

import os
import pty
import select
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from lab import Lab, is_running, processes_below, wait_for

IS_ROOT = os.geteuid() == 0


def vm(name, behaviour="plain", more=""):
    return f"""[[vm]]
name = "{name}"
kernel = "kernel"
vmm_program = "{os.environ['FAKE_VMM']}"
command_line = "{behaviour}"
memory = "16M"
{more}
"""


class LauncherCase(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(os.environ["FAKE_LAUNCHER"])
        self.addCleanup(self.lab.close)
        (self.lab.path / "kernel").write_text("a kernel\n")

    def end(self, number=signal.SIGINT):
        self.assertEqual(self.lab.interrupt(number), 0, self.lab.said())
        self.assertEqual(self.lab.left_over(), [])
        self.assertFalse(self.lab.state.exists())


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


class Failure(LauncherCase):
    def fails(self, text, *words):
        """`up` ends with status 1 and leaves nothing; what it said."""
        self.lab.up(text, wait=False)
        children = []
        wait_for(lambda: children.extend(processes_below(self.lab.process.pid))
                 or self.lab.process.poll() is not None, "launcher ends")
        self.assertEqual(self.lab.wait_end(children), 1, self.lab.said())
        self.assertEqual(self.lab.left_over(), [])
        for word in words:
            self.assertIn(word, self.lab.said())

    def test_boot_refused_takes_everything_down(self):
        self.fails(vm("router") + vm("bad", "refuse-boot", 'depends = ["router"]'),
                   "bad: this machine does not boot", "router: power button pressed",
                   "everything is down")

    def test_vmm_that_ends(self):
        self.fails(vm("bad", "end=7"), "exit status 7", "fake: ends as told")

    def test_link_that_never_comes_up(self):
        self.fails(vm("bad", "no-net", "ready = { within = 1 }"),
                   "its link net0 is not up within 1 s", "fake machine is up")

    def test_console_line_that_never_comes(self):
        self.fails(vm("bad", more='ready = { within = 1, console_line = "login:" }'),
                   "does not say 'login:' within 1 s", "fake machine is up")

    def test_address_that_never_answers(self):
        self.fails(vm("bad", more='ready = { within = 1, address = "fe80::5" }'),
                   "address fe80::5 does not answer within 1 s")

    def test_interrupted_while_a_vm_hangs_at_boot(self):
        self.lab.up(vm("good") + vm("slow", "hang-boot"), wait=False)
        self.lab.wait_line("slow: started")
        self.lab.wait_line("good: ready")
        self.end()

    def test_missing_kernel_and_unknown_vm(self):
        path = self.lab.write(vm("a").replace('"kernel"', '"nothing"'))
        result = self.lab.run("up", path, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn(f"{path}:1: key 'kernel': there is no kernel", result.stderr)
        path = self.lab.write(vm("a"))
        result = self.lab.run("up", path, "b", check=False)
        self.assertIn("there is no VM 'b'", result.stderr)
        self.assertEqual(self.lab.left_over(), [])

    def test_nic_that_is_absent(self):
        path = self.lab.write(vm("a", more='devices = ["0000:7f:1f.7"]'))
        result = self.lab.run("up", path, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("there is no PCI device 0000:7f:1f.7", result.stderr)

    def test_switch_that_does_not_answer(self):
        self.fails(f'[switch]\ncontrol_socket = "{self.lab.path}/none.sock"\n' + vm("a"),
                   "none.sock: No such file or directory; is switchd running?")

    def test_paths_of_sockets_that_are_too_long(self):
        path = self.lab.write(vm("a" * 31))
        result = subprocess.run([self.lab.program, "up", str(path), "--state-dir",
                                 str(self.lab.path / ("x" * 60))], capture_output=True, text=True,
                                check=False, env=self.lab.environment, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("paths of more than 107 bytes", result.stderr)


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

    def test_switch_that_dies_comes_back_with_its_ports(self):
        self.lab.up(vm("a"))
        pid = self.lab.status()["switches"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.lab.wait_line("running again, ports: 1")
        self.assertIn("a.net0", self.lab.switch_ports())
        self.end()

    def test_running_switch_of_others(self):
        control = self.lab.path / "switch.sock"
        switch = subprocess.Popen(
            [os.environ["SWITCHD"], "--control-socket", str(control), "--state-file",
             str(self.lab.path / "ports.json"), "--port", "mine"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(switch.wait)
        self.addCleanup(switch.kill)
        wait_for(control.exists, "switch listens")

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


class ConsoleOfAVm(LauncherCase):
    def attach(self):
        """`launcher console a` on a terminal of its own."""
        master, slave = pty.openpty()
        process = subprocess.Popen([self.lab.program, "console", "a", "--state-dir",
                                    str(self.lab.state)], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.lab.environment)
        os.close(slave)
        self.addCleanup(process.wait)
        self.addCleanup(os.close, master)
        seen = bytearray()

        def sees(text):
            def look():
                while select.select([master], [], [], 0)[0]:
                    try:
                        seen.extend(os.read(master, 4096))
                    except OSError:
                        return text in seen
                return text in seen
            wait_for(look, lambda: f"{text} in {bytes(seen)}")
        return process, master, sees

    def test_attach_type_and_detach(self):
        self.lab.up(vm("a"))
        first, keys, sees = self.attach()
        second, _, second_sees = self.attach()
        self.addCleanup(second.kill)
        sees(b"fake machine is up")  # what was said before
        os.write(keys, b"\x03hello")  # ^C goes to the guest
        sees(b"echo: \x03hello")
        second_sees(b"echo: \x03hello")
        os.write(keys, b"\x1d")
        self.assertEqual(first.wait(60), 0)
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.assertIn("echo: ", self.lab.run("logs", "--console", "a").stdout)
        self.end()


class Commands(LauncherCase):
    def test_check_and_help(self):
        path = self.lab.write(vm("b", more='depends = ["a"]') + vm("a"))
        result = self.lab.run("check", path)
        self.assertIn("order of start: a b", result.stdout)
        self.assertIn("a: 02:00:00:", result.stdout)
        self.assertIn("launcher up FILE", self.lab.run("--help").stdout)
        for words in (("up",), ("fly",), ("status", "--force"), ("stop",)):
            self.assertEqual(self.lab.run(*words, check=False).returncode, 2, words)

    def test_nothing_runs(self):
        result = subprocess.run([self.lab.program, "status", "--state-dir",
                                 str(self.lab.path / "none")], capture_output=True, text=True,
                                check=False, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("is launcher running?", result.stderr)

    def test_hostile_lines_on_the_control_socket(self):
        self.lab.up(vm("a"))
        for line in (b"\n", b"[]\n", b"{}\n", b'{"id":1,"method":"stop","params":{"vm":5}}\n',
                     b'{"id":1,"method":"fly"}\n', b"x" * 100_000, b'{"id":1'):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(self.lab.state / "control.sock"))
            try:
                client.sendall(line)
                if line.endswith(b"\n"):
                    client.settimeout(60)
                    self.assertIn(b"error", client.recv(4096))
            except BrokenPipeError:
                pass
            client.close()
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.end()


if __name__ == "__main__":
    unittest.main()
