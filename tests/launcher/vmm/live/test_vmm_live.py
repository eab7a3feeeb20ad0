"""Real guests on a real switch through a driver of launcher/vmm.

LAUNCHER_VMM and LAUNCHER_VMM_PROGRAM: which VMM, and its program. VMM_DRIVE, SWITCHD, SWITCHCTL:
programs under test. SWITCHD_GUEST_IMAGE: the cache directory of the image. Where the test is root,
each VMM is an ordinary user of its own, whose port is closed to all others.
"""

import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from vm import PATIENCE, Vm, VmError, seconds_since

from lib import switch
from lib.deadline import wait_for
from lib.processes import turn_signals_into_exits
from lib.switch import Programs, Switch

switch.READY_SECONDS = PATIENCE
PORTS = ("a", "b", "c")
USERS = {"a": 64001, "b": 64002, "c": 64001}  # c is a's second interface


class VmmLive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        turn_signals_into_exits()
        cls.kind = os.environ["LAUNCHER_VMM"]
        cls.root = os.geteuid() == 0
        cls.directory = cls.temporary_directory()
        programs = Programs(Path(os.environ["SWITCHD"]), Path(os.environ["SWITCHCTL"]))
        owners = [f"--socket-owner={port}={user}" for port, user in USERS.items() if cls.root]
        # cloud-hypervisor passes on to its guest what the port offers; QEMU what it was told.
        modes = [f"--{option}" for port in PORTS
                 for option in (f"socket-mode={port}=0600", f"mtu={port}=1400")]
        modes.append("--queues=b=2")
        state = [f"--state-file={cls.directory / 'ports.json'}"]
        cls.switch = Switch(programs, cls.directory, PORTS, owners + modes + state)
        cls.addClassCleanup(cls.switch.stop)
        cls.switch.start()

    @classmethod
    def temporary_directory(cls):
        directory = Path(tempfile.mkdtemp(prefix="vmm-"))
        directory.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def setUp(self):
        self.directory = self.temporary_directory()
        for port in PORTS:
            self.wait_port_free(port)
        self.started = time.monotonic()

    def tell(self, what):
        print(f"{self.kind}: {what} ({seconds_since(self.started)})", flush=True)

    def net(self, number, port, **more):
        return {"id": f"net{number}", "socket": str(self.switch.socket(port)),
                "mac": f"02:00:00:77:0{number}:0{PORTS.index(port) + 1}", **more}

    def start_vm(self, port, *words, queues=1, **more):
        vm = Vm(port, self.directory, self.kind, os.environ["LAUNCHER_VMM_PROGRAM"],
                USERS[port] if self.root else 0, [self.net(0, port, mtu=1400, queues=queues)],
                words, **more)
        self.addCleanup(vm.close)
        return vm

    def boot(self, *vms):
        for vm in vms:
            vm.do("boot")
            vm.wait_event("booted")
        return [vm.wait_line(r"ready (\S+)").group(1) for vm in vms]

    def start_pair(self, *words):
        a = self.start_vm("a", "eth0=10.77.0.1/24", "ping=10.77.0.2", *words)
        b = self.start_vm("b", "eth0=10.77.0.2/24", "ping=10.77.0.1")
        return a, b

    def wait_port_free(self, port):
        """The switch has seen the VMM's end of the port go."""
        def state():
            return {p["name"]: p["state"] for p in self.switch.query("port", "list")["ports"]}[port]
        wait_for(lambda: state() == "listening", PATIENCE, lambda: f"port {port}, which is {state()}")

    def assert_ordinary_user(self, vm, user):
        status = Path(f"/proc/{vm.process()}/status").read_text()
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        self.assertEqual(uids, [str(user)] * 4)

    def test_guests_reach_each_other_and_again_after_a_reboot(self):
        a, b = self.start_pair()
        boot_id, _ = self.boot(a, b)
        self.tell("two guests are up")
        match = a.wait_line(r"eth0 there mtu (\d+) mac (\S+)")
        self.assertEqual(match.groups(), ("1400", "02:00:00:77:00:01"))
        a.wait_line("reached 10.77.0.2")
        b.wait_line("reached 10.77.0.1")
        if self.root:
            self.assert_ordinary_user(a, USERS["a"])
        self.tell("they reach each other")
        a.type_until_heard("is anybody there")
        self.tell("what is typed arrives")
        console, said = a.position(), len(a.said())
        a.do("reboot")
        a.wait_event("rebooting", said)
        a.wait_event("booted", said)
        self.assertNotEqual(a.wait_line(r"ready (\S+)", console).group(1), boot_id)
        a.wait_line("reached 10.77.0.2", console)
        self.tell("again after a reboot")

    def test_disks_and_queues(self):
        raw, qcow2 = self.directory / "raw.img", self.directory / "other.qcow2"
        raw.write_bytes(b"raw".ljust(1 << 20, b"\0"))
        (self.directory / "source").write_bytes(b"qcow2".ljust(2 << 20, b"\0"))
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", self.directory / "source", qcow2],
                       check=True, timeout=60)
        if self.root:
            os.chown(raw, USERS["b"], USERS["b"])
        before = qcow2.read_bytes()
        b = self.start_vm("b", "eth0=10.77.0.2/24", "disk=vda", "disk=vdb", cpus=2, queues=2,
                          disks=[{"path": str(raw)}, {"path": str(qcow2), "readonly": True}])
        self.boot(b)
        b.wait_line("vda has 2048 sectors, read-only 0, begins with raw")
        b.wait_line("vda written")
        b.wait_line("vdb has 4096 sectors, read-only 1, begins with qcow2")
        b.wait_line("vdb cannot be written")
        b.wait_line("eth0 there mtu 1400 mac 02:00:00:77:00:02 queues 2")
        self.assertEqual(raw.read_bytes()[512:519], b"written")
        self.tell("disks are read and written, two pairs of queues serve")
        b.do("shutdown")
        b.wait_ended()
        self.assertEqual(qcow2.read_bytes(), before)

    def test_interface_comes_goes_and_comes_again(self):
        a = self.start_vm("a", "eth0=10.77.0.1/24", "eth1=10.77.1.1/24", "ping=10.77.1.2")
        b = self.start_vm("b", "eth0=10.77.1.2/24")
        self.boot(a, b)
        for turn in ("added", "added again"):
            console = a.position()
            a.do("add_net", net=self.net(1, "c", mtu=1400))
            match = a.wait_line(r"eth1 there mtu (\d+) mac (\S+)", console)
            self.assertEqual(match.groups(), ("1400", "02:00:00:77:01:03"))
            a.wait_line("reached 10.77.1.2", console)
            self.tell(f"interface {turn}, the other guest reached through it")
            console, said = a.position(), len(a.said())
            a.do("remove", id="net1")
            self.assertEqual(a.wait_event("device_removed", said)["detail"], "net1")
            a.wait_line("eth1 gone", console)
            self.wait_port_free("c")
            self.tell("interface removed")

    def test_what_cannot_be_added_or_removed_is_told_and_the_vm_goes_on(self):
        a, b = self.start_pair()
        self.boot(a, b)
        with self.assertRaisesRegex(VmError, "^a: .*no-such.sock.*add the port first"):
            a.do("add_net", net={**self.net(1, "c"), "socket": str(self.directory / "no-such.sock")})
        with self.assertRaisesRegex(VmError, "^a: .*net0"):
            a.do("add_net", net=self.net(0, "c"))
        with self.assertRaisesRegex(VmError, "^a: .*net7"):
            a.do("remove", id="net7")
        with self.assertRaisesRegex(VmError, "^a: (QEMU|cloud-hypervisor) refused"):
            a.do("add_device", address="0000:7f:00.0")
        a.wait_line("reached 10.77.0.2")
        a.do("add_net", net=self.net(1, "c"))
        self.tell("refused with reasons, and it goes on")

    def test_power_button_ends_a_guest_and_shutdown_one_that_does_not_listen(self):
        a, b = self.start_pair()
        self.boot(a, b)
        a.do("power_button")
        self.assertEqual(a.wait_ended(), 0)
        a.wait_event("shut_down")
        self.assertIn("guest: power button", a.console.read_text(errors="replace"))
        self.tell("power button obeyed")
        b.do("shutdown")
        self.assertEqual(b.wait_ended(), 0)
        self.wait_port_free("b")
        self.tell("shut down by force")

    def test_killed_vmm_ends_what_waits_for_it(self):
        a = self.start_vm("a", "eth0=10.77.0.1/24")
        self.boot(a)
        os.kill(a.process(), 9)
        self.assertEqual(a.wait_ended(), -9)
        with self.assertRaisesRegex(VmError, "^a: "):
            a.do("power_button")


if __name__ == "__main__":
    unittest.main()
