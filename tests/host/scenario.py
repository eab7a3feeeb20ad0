"""The whole scenario, step by step, in a play host: the NIC to a router VM, two isolated
application VMs behind it, and everything back again.

Each step says what it does and raises when it did not work; test_scenario.py and the demo run them.
"""

import json
import pathlib
import re
import shutil
import time

from playhost.far_network import FAR_ADDRESS, FAR_ADDRESS6, FAR_NAME

HERE = pathlib.Path(__file__).resolve().parent
NIC = "0000:00:04.0"
NIC_MAC = "52:54:00:00:00:04"
SINK_PORT = 5001
PROGRAMS = {"qemu": "qemu-system-x86_64", "cloud-hypervisor": "cloud-hypervisor"}
UP_WITHIN = 600  # seconds; a tenth of it on an idle machine
FILE_SIZE = 10_000_000
FIRST_AND_LAST_SEGMENT = (  # SYN and FIN; of IPv6, libpcap knows no flags by name
    f"dst port {SINK_PORT} and ( tcp[13] & 3 != 0 or ( ip6[6] = 6 and ip6[53] & 3 != 0 ) )")
# What a host that has nothing to do with the network has not loaded.
UNWANTED_MODULES = ("e1000e", "bridge", "tun", "tap", "vhost_net", "vhost")


class Failed(AssertionError):
    """A step did not do what it should; the message holds what was seen."""


def _vm(name, image, images, vmm, memory, extra):
    return ["[[vm]]", f'name = "{name}"', f'vmm = "{vmm}"',
            f'vmm_program = "{shutil.which(PROGRAMS[vmm])}"',
            f'kernel = "{images}/{image}.vmlinuz"', f'initramfs = "{images}/{image}.initramfs"',
            f'memory = "{memory}"',
            'command_line = "console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off '
            "clearcpuid=rep_good "  # one instruction a byte or word is slow under emulation
            f'hostname={name}"',
            *extra, "[vm.ready]", f'console_line = "{name}: ready"', 'within = "500s"']


def topology(images, vmm, apps, nic=NIC, app_memory="96M"):
    """A router with the NIC, if there is one, and isolated clients, as a topology file says it."""
    more = [f'devices = ["{nic}"]'] if nic else []
    more += ["[vm.router]"] if apps else []
    more += ['forward = ["tcp/8022 -> app1:22"]'] if "app1" in apps else []
    lines = _vm("router", "router", images, vmm, "192M", more)
    for name in apps:
        lines += _vm(name, "app", images, vmm, app_memory, ['depends = ["router"]'])
        lines += ["[[vm.net]]", "isolated = true"]
    return "\n".join(lines) + "\n"


class Scenario:
    """`host` is a Machine or ThisHost, `far` its FarNetwork, if it has one; `say` prints a line.
    `name` is the topology's, whose file, log and so on are in `files`."""

    def __init__(self, host, far, build, images, vmm="qemu", say=print, nic=NIC, name="scenario",
                 files="/tmp", app_memory="96M"):
        self.host, self.far, self.build, self.images, self.vmm = host, far, build, images, vmm
        self.say, self.nic, self.name = say, nic, name
        self.state = pathlib.Path("/run/launcher", name)
        self.files, self.app_memory = pathlib.Path(files), app_memory
        self._launcher = None

    def program(self, name):
        places = {"vfio-setup": "vfio-setup/vfio-setup", "launcher": "launcher/launcher"}
        return self.build / places[name]

    def launch(self, *words, **options):
        return self.host.run(self.program("launcher"), *words, "--topology", self.name, **options)

    def in_guest(self, name, command, timeout=120, check=True):
        """Runs a command in a VM by its console; output, or Failed."""
        result = self.host.run("python3", HERE / "inside/guest_shell.py",
                               self.state / f"console/{name}.sock", timeout, command,
                               timeout=timeout + 60, check=False)
        if check and result.status:
            raise Failed(f"{name}: {command}: status {result.status}\n{result.out}{result.err}")
        return result.out.strip()

    def until_in_guest(self, name, command, timeout=120):
        self.in_guest(name, f"until {command}; do usleep 200000; done", timeout)

    # Steps

    def prepare(self):
        """The modules of a host that runs VMs, and /dev/kvm as udev makes it; none for the NIC."""
        self.host.shell("for m in kvm-amd kvm-intel; do modprobe $m 2>/dev/null && break; done; "
                        "chgrp kvm /dev/kvm; chmod 660 /dev/kvm")

    def take_nic(self, confirm_within=""):
        """With `confirm_within` the NIC comes back by itself then, unless keep_nic is called."""
        self.say("vfio-setup list")
        self.say(self.host.run(self.program("vfio-setup"), "list").out)
        self.say("vfio-setup check")
        self.say(self.host.run(self.program("vfio-setup"), "check", check=False).out)
        words = ["bind", self.nic]
        words += ["--confirm-within", confirm_within] if confirm_within else []
        self.say("vfio-setup " + " ".join(words))
        self.say(self.host.run(self.program("vfio-setup"), *words, timeout=60).out)

    def keep_nic(self):
        self.say("vfio-setup confirm")
        self.say(self.host.run(self.program("vfio-setup"), "confirm").out)

    def up(self, apps=("app1", "app2")):
        self.say(f"launcher up: a router VM that has {'the' if self.nic else 'no'} NIC, {len(apps)} "
                 "isolated application VMs")
        text = topology(self.images, self.vmm, apps, self.nic, self.app_memory)
        file, ready = self.files / f"{self.name}.toml", self.files / "ready"
        self.host.run("tee", file, stdin=text)
        self._launcher = self.host.spawn(
            "sh", "-c", f"exec {self.program('launcher')} up {file} --ready-fd 3 3>{ready}",
            log=self._log())
        self._follow()
        if not self.host.read(ready):
            raise Failed("launcher up ended: " + self.logs())
        self.say(self.launch("status").out)

    def _log(self):
        return str(self.files / "launcher.log")

    def _follow(self):
        """Says what the launcher says, until everything is up or it has ended."""
        deadline, shown = time.monotonic() + UP_WITHIN, 0
        is_over = f"[ -s {self.files}/ready ] || grep -q '^State:.Z' /proc/{self._launcher}/status"
        while True:
            more = f"[ $(stat -c %s {self._log()}) -gt {shown} ]"
            self.host.until(f"{is_over} || {more}", deadline - time.monotonic())
            over = self.host.run("/bin/sh", "-c", is_over, check=False).status == 0
            said = self.host.read(self._log())
            if len(said) > shown:
                self.say(said[shown:].rstrip())
            shown = len(said)
            if over:
                return

    def logs(self):
        return self.host.shell(f"tail -n 40 {self._log()} {self.state}/log/* 2>&1 || true").out

    def address(self, name, family=4):
        shown = self.in_guest(name, f"ip -o -{family} address show dev eth0 scope global")
        return re.search(r"inet6? ([^/]+)/", shown)[1]

    def router_address(self):
        """The address that the far network's DHCP server gave to the NIC."""
        return self.far.leases()[NIC_MAC]

    def ping_far(self, name):
        """By name and by IPv6; the far capture shows where it comes from."""
        self.say(f"{name} ({self.address(name)}) pings {FAR_NAME}, two hops beyond the NIC")
        capture = self.far.capture("icmp or icmp6")
        self.say(self.in_guest(name, f"ping -4 -c 1 -W 5 {FAR_NAME}"))
        self.say(self.in_guest(name, f"ping -6 -c 1 -W 5 {FAR_ADDRESS6}"))
        for target, what in ((FAR_ADDRESS, "ICMP echo"), (FAR_ADDRESS6, "ICMP6, echo")):
            self.say("the far machine saw: " + capture.wait_for(f"> {target}: {what} request"))
        lines = capture.stop()
        for line in lines:
            if "request" in line:
                self._check_is_router(line.split()[2], line)
        inner = [self.address(name), self.address(name, 6)]
        if any(address in line for line in lines for address in inner):
            raise Failed("a client's own address reached the far machine:\n" + "\n".join(lines))

    def _check_is_router(self, source, line):
        """What the far machine saw comes from the router's own address."""
        if source != self.router_address() and not re.search(
                rf" {re.escape(source)}/", self.in_guest("router", "ip -6 -o address show dev wan0")):
            raise Failed(f"{source} is no address of the router: {line}")

    def send_far(self, name):
        """10 MB over TCP, each family; the far machine tells what came."""
        self.in_guest(name, f"head -c {FILE_SIZE} /dev/urandom >/tmp/data", 120)
        digest = self.in_guest(name, "sha256sum </tmp/data", 120).split()[0]
        for target in (FAR_ADDRESS, FAR_ADDRESS6):
            capture = self.far.capture(FIRST_AND_LAST_SEGMENT)
            answer = self.in_guest(name, f"nc {target} {SINK_PORT} </tmp/data", 300).split()
            if answer != [str(FILE_SIZE), digest]:
                raise Failed(f"sent {FILE_SIZE} {digest}, arrived {answer}")
            source = self._check_sender(capture)
            self.say(f"{name} sent {FILE_SIZE // 1_000_000} MB to {target}: SHA-256 {digest[:16]}... "
                     f"arrived from {source}, the router's")
        self.in_guest(name, "rm /tmp/data")

    def _check_sender(self, capture):
        """The address that a whole file came from, which is the router's."""
        capture.wait_for("Flags [F")
        lines = [line for line in capture.stop() if "Flags [" in line]
        for line in lines:
            source = line.split()[2].rpartition(".")[0]
            self._check_is_router(source, line)
        # The file's bytes are the numbers between the SYN's and the FIN's (RFC 9293, 3.4).
        first, end = (int(re.search(r"seq (?:\d+:)?(\d+)", line)[1]) for line in (lines[0], lines[-1]))
        if (end - first - 1) % 2**32 != FILE_SIZE:
            raise Failed(f"not {FILE_SIZE} bytes from {source}:\n" + "\n".join(lines))
        return source

    def loopback_counters(self):
        return self.host.shell("grep lo: /proc/net/dev").out.split()

    def check_host_is_bare(self, unwanted_modules=UNWANTED_MODULES):
        """No interface but lo, no module of a network."""
        interfaces = self.host.run("ls", "/sys/class/net").out.split()
        loaded = [line.split()[0] for line in self.host.read("/proc/modules").splitlines()]
        unwanted = [module for module in loaded if module in unwanted_modules]
        if interfaces != ["lo"] or unwanted:
            raise Failed(f"interfaces {interfaces}, modules {unwanted}")
        self.say("the host has no interface but lo, and none of the modules "
                 + ", ".join(unwanted_modules))

    def check_users(self, vms=3):
        """There are so many VMMs, and none is root."""
        shown = self.host.run("ps", "-eo", "uid,pid,args").out.splitlines()
        vmms = [line.split(None, 2) for line in shown
                if re.search(r"^\s*\d+\s+\d+\s+\S*(qemu-system|cloud-hypervisor)", line)]
        if len(vmms) < vms or any(uid == "0" for uid, _, _ in vmms):
            raise Failed(f"VMMs: {vmms}")
        self.say(f"users of the VMMs: {' '.join(uid for uid, _, _ in vmms)}")

    def check_strangers(self):
        """One VM's user may not connect to another's port."""
        sockets = self.host.shell(
            f"find {self.state}/switch -type s -name '*app2*'").out.split()
        owner = {line.split()[0] for line in
                 self.host.shell("ps -eo uid,args | grep -- '[g]uest=app1\\|[v]m/app1' || true")
                 .out.splitlines()} - {"0"}
        if not sockets or len(owner) != 1:
            raise Failed(f"sockets {sockets}, user of app1 {owner}")
        [uid] = owner
        connect = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        for path in sockets:
            result = self.host.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                                   "python3", "-c", connect, path, check=False)
            if "PermissionError" not in result.err:
                raise Failed(f"user {uid} at {path}: {result}")
        self.say(f"app1's user {uid} is refused at app2's port")

    def down(self):
        self.say("^C")
        self.host.run("kill", "-INT", self._launcher)
        status = self.host.wait(self._launcher, 120)
        self.say(self.host.read(self._log()).split("ready\n")[-1])
        if status != 0:
            raise Failed(f"launcher up ended with {status}: {self.logs()}")
        left = self.host.shell("ps -eo args | grep '[q]emu-system\\|[c]loud-hypervisor\\|[s]witchd/switchd' "
                               "|| true").out
        if left or self.host.run("ls", self.state, check=False).status == 0:
            raise Failed(f"left: {left} {self.state}")

    def abandon(self):
        """Ends the VMs, if there are any, and gives the NIC back, whatever state both are in."""
        if self._launcher is not None:
            self.host.run("kill", "-INT", self._launcher, check=False)
            self.host.wait(self._launcher, 120)
        self.restore_nic("--force")

    def restore_nic(self, *options):
        words = ["restore", self.nic, *options]
        self.say("vfio-setup " + " ".join(words))
        self.say(self.host.run(self.program("vfio-setup"), *words, timeout=60).out)

    def give_nic_back(self):
        self.restore_nic()
        self.say("the host's own driver asks for a lease")
        self.host.run("modprobe", "e1000e")
        interface = self.host.until(f"ls /sys/bus/pci/devices/{self.nic}/net").out.strip()
        self.host.run("ip", "link", "set", interface, "up")
        result = self.host.run("busybox", "udhcpc", "-f", "-q", "-n", "-t", "20", "-T", "1", "-i",
                               interface, "-s", "/bin/true", timeout=60)
        self.say(result.err.strip())

    def macs(self, name):
        """Of the VM's interfaces, in their order."""
        status = json.loads(self.launch("status", "--json").out)
        return [net["mac"] for vm in status["vms"] if vm["name"] == name for net in vm["ports"]]

    def mac(self, name):
        return self.macs(name)[0]
