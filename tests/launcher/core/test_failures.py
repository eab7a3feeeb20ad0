"""What goes wrong on the way up: the error tells it, and all that was started is taken down."""

import os
import signal
import socket
import stat
import subprocess
import unittest

from false_switch import FalseSwitch
from runtime_case import LauncherCase, vm


class Failure(LauncherCase):
    @unittest.skipUnless(os.geteuid() == 0, "VMs have users of their own under root alone")
    def test_directory_above_that_no_user_can_pass(self):
        self.lab.path.chmod(0o700)
        self.fails(vm("a"), f"{self.lab.path}: user ", "may not pass through it",
                   f"chmod o+x {self.lab.path}, or give another --state-dir")

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

    def test_guests_that_were_booted_get_the_power_button_in_order(self):
        waits = 'ready = { console_line = "never", within = "60s" }\n'
        self.lab.up(vm("router") + vm("app", more=waits + 'depends = ["router"]')
                    + vm("slow", "hang-boot"), wait=False)
        self.lab.wait_line("app: net0 is attached")
        self.lab.wait_line("slow: started")
        self.end()
        said = self.lab.said()
        self.assertNotIn("slow: power button", said)
        self.assertLess(said.index("app: power button pressed"),
                        said.index("router: power button pressed"))
        self.assertNotIn("app: does not power off", said)

    def test_guest_that_was_booted_gets_the_power_button_when_another_fails(self):
        self.fails(vm("slow", more='ready = { console_line = "never", within = "60s" }')
                   + vm("bad", "refuse-boot"), "bad: this machine does not boot",
                   "slow: power button pressed", "everything is down")

    def test_guest_that_does_not_hear_the_button_is_down_after_its_grace(self):
        self.fails(vm("deaf", "no-power-button", 'power_button_grace = "1s"\n'
                      'ready = { console_line = "never", within = "1s" }'),
                   "deaf: power button pressed", "deaf: does not power off; shut down by force",
                   "everything is down")

    def test_asked_twice_to_end_it_waits_for_no_vm(self):
        self.lab.up(vm("deaf", "no-power-button", 'power_button_grace = "600s"'))
        self.lab.process.send_signal(signal.SIGINT)
        self.lab.wait_line("deaf: power button pressed")
        self.end()
        self.assertIn("asked again: what has not ended is killed", self.lab.said())
        self.assertIn("VMs that had to be killed: 1", self.lab.said())

    def test_interrupted_while_a_vm_hangs_at_boot(self):
        self.lab.up(vm("good") + vm("slow", "hang-boot"), wait=False)
        self.lab.wait_line("slow: started")
        self.lab.wait_line("good: ready")
        self.end()

    def test_what_the_file_has_wrong_is_told_by_line_and_key(self):
        self.refused(vm("a").replace('"kernel"', '"nothing"'), "FILE:3: key 'kernel': there is no kernel")
        self.refused(vm("a", more='vmm = "xen"'), "FILE:7: key 'vmm'", "cloud-hypervisor", "qemu")
        self.refused(vm("a", more='devices = ["0000:7f:1f.7"]'), "FILE:7: key 'devices'",
                     "there is no PCI device 0000:7f:1f.7", "vfio-setup list")

    def test_vmm_or_vm_on_the_command_line_that_there_is_none_of(self):
        path = self.lab.write(vm("a"))
        result = self.lab.run("up", path, "b", check=False)
        self.assertIn("there is no VM 'b'", result.stderr)
        result = self.lab.run("up", path, "--vmm", "xen", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("no VMM 'xen'; there are: cloud-hypervisor, qemu", result.stderr)
        self.assertEqual(self.lab.left_over(), [])

    def test_vmm_program_that_is_not_there(self):
        self.fails(vm("router") + vm("bad", more='depends = ["router"]').replace(
                       os.environ["FAKE_VMM"], "/no/such/vmm"),
                   "lab.toml:11: key 'vmm_program'", "/no/such/vmm", "router: power button pressed",
                   "everything is down")

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

    def test_socket_that_another_switch_has(self):
        other = self.start_switch("--port", f"its={self.lab.path}/its.sock", "--socket-mode", "its=0666")
        config = self.lab.path / "switchd.toml"
        config.write_text(f'[[port]]\nname = "mine"\nsocket = "{self.lab.path}/its.sock"\n')
        self.fails(f'[switch]\nconfig = "{config}"\n' + vm("a"),
                   "switch default ended at its start", f"{self.lab.path}/its.sock: in use by another "
                   "process; stop that process or choose another path")
        self.assertIsNone(other.poll())

    def test_port_that_somebody_else_has(self):
        self.start_switch("--port", "lab.a.net0")
        self.fails(f'[switch]\ncontrol_socket = "{self.lab.path}/switch.sock"\n' + vm("a"),
                   "lab.a.net0", "everything is down")

    @unittest.skipUnless(os.geteuid() == 0, "sockets are root's to give")
    def test_socket_that_is_not_the_switchs_is_not_given_away(self):
        control = self.lab.path / "switch.sock"
        for name, why in (("docker.sock", "which is none of that name"),
                          ("lab.a.net0.sock", "belongs to user 0, so it is not the socket")):
            with self.subTest(name), socket.socket(socket.AF_UNIX) as victim:
                path = self.lab.path / name
                victim.bind(str(path))
                path.chmod(0o660)
                switch = FalseSwitch(control, {"port.add": {"name": name, "socket": str(path)}})
                os.chown(control, 64_200, 64_200)
                self.fails(f'[switch]\ncontrol_socket = "{control}"\n' + vm("a"), str(path), why)
                switch.close()
                control.unlink()
                facts = path.stat()
                self.assertEqual((facts.st_uid, stat.S_IMODE(facts.st_mode)), (0, 0o660))


if __name__ == "__main__":
    unittest.main()
