"""One QEMU guest on a vhost-user port, driven over a virtio serial port.

The ordinary serial port is the kernel's console and goes to a log file; the virtio one carries the
line protocol described in guest/init. Waiting is always for a line, with a deadline.
"""

import re
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from .deadline import Deadline, DeadlineMissed, wait_for
from .processes import Process
from .qmp import Qmp

BOOT_SECONDS = 60
MEMORY = "256M"
HTTP_PORT = 8000
# Self-tests and hardening of the guest's kernel that nothing here relies on.
QUICKER_BOOT = "cryptomgr.notests mitigations=off rodata=off tsc=reliable"


class GuestError(AssertionError):
    """A command in a guest failed; the message holds what it printed."""


@dataclass
class PingResult:
    sent: int
    received: int

    @property
    def lost(self):
        return self.sent - self.received


@dataclass
class PingAnswer:
    at: float  # seconds since the asking guest was booted
    number: int
    took: float  # seconds


class SerialLine:
    """The host's end of a guest's serial port: whole lines in, whole lines out."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._buffer = b""

    def send(self, line):
        self._socket.sendall(line.encode() + b"\n")

    def receive(self, deadline, what):
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([self._socket], [], [], deadline.left())
            if not readable:
                deadline.check(what)
                continue
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise GuestError(f"the VMM closed the serial line while waiting for {what}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def close(self):
        self._socket.close()


class Guest:
    """A guest that is running or ended. `device` holds more virtio-net-pci properties; with
    `listens` the switch connects to its VMM; `initramfs` is another one than the image's. `queues`:
    pairs of its device. `more_cards`: pairs of a port's socket and the properties of the device on
    it, which the guest leaves without an address. `ipv6`: its kernel has it.

    `memory`: as QEMU's -m has it. `pluggable`: more can be plugged in while it runs (see
    plug_memory). `twin`: the guest which migrates into this one; it takes over its address, and is
    not booted; `paused`: it does not run on before resume()."""

    def __init__(self, name, directory, image, accelerator, port_socket=None, number=1, device="",
                 listens=False, initramfs=None, queues=1, cpus=1, more_cards=(), ipv6=False,
                 memory=MEMORY, pluggable=False, twin=None, paused=False):
        self.name = name
        self.twin = twin
        self._paused = paused
        if twin:
            number, device, pluggable = twin.number, twin._device, twin._pluggable
            memory = twin._memory
            queues, cpus, ipv6 = twin._queues, twin._cpus, twin._ipv6
        self._memory = memory
        self._pluggable = pluggable
        self._qmp = None
        self.number = number
        self.address = f"10.77.0.{number}"
        self.mac = f"52:54:00:77:00:{number:02x}"
        self.boot_id = None
        self._directory = Path(directory)
        self._image = image
        self._accelerator = accelerator
        self._port_socket = port_socket
        self._device = device
        self._listens = listens
        self._initramfs = initramfs or image.initramfs
        self._queues = queues
        self._cpus = cpus
        self._more_cards = list(more_cards)
        self._ipv6 = ipv6
        self._commands = 0
        self._starts = 0
        self._line = None
        self.process = None

    def _arguments(self, serial):
        arguments = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-accel", self._accelerator, "-cpu", "max" if self._accelerator == "tcg" else "host",
            "-m", f"{self._memory},slots=8,maxmem=2G" if self._pluggable else self._memory,
            "-smp", str(self._cpus),
            "-object", f"memory-backend-memfd,id=memory,size={self._memory},share=on",
            "-numa", "node,memdev=memory",
            "-kernel", self._image.kernel, "-initrd", self._initramfs,
            "-append", self._command_line(),
            "-serial", f"file:{self._directory / self.name}.console",
            "-chardev", f"socket,id=line,path={serial},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=line,name=line",
            "-qmp", f"unix:{self._control},server=on,wait=off",
        ]
        if self.twin:
            arguments += ["-incoming", f"unix:{self._arrival}"]
        if self._paused:
            arguments += ["-S"]
        if self._port_socket:
            arguments += self._card_arguments("net", self._port_socket, self.mac, self._device)
        for number, (socket_path, device) in enumerate(self._more_cards):
            arguments += self._card_arguments(f"net{number}", socket_path, self.card_mac(number),
                                              device)
        return arguments

    def _command_line(self):
        address = f"{self.address}/24" if self._port_socket else ""
        ipv6 = "" if self._ipv6 else "ipv6.disable=1"
        # Plugged memory that is to be unplugged again holds nothing that cannot be moved.
        return (f"console=ttyS0 quiet panic=-1 {ipv6} {QUICKER_BOOT} rdinit=/init "
                f"memhp_default_state=online_movable "
                f"-- {address}")

    def card_mac(self, number):
        """Of one of `more_cards`."""
        return f"52:54:00:78:{self.number:02x}:{number:02x}"

    def _card_arguments(self, name, socket_path, mac, properties):
        device = f"virtio-net-pci,netdev={name},romfile=,mac={mac}"
        if self._queues > 1:
            device += ",mq=on"
        if self._accelerator == "tcg":
            device += ",vectors=0"  # QEMU 7.2 without KVM crashes on MSI-X of a vhost-user device
        else:
            device += f",vectors={2 * self._queues + 2}"
        if properties:
            device += f",{properties}"
        return [
            "-chardev", f"socket,id={name}-port,path={socket_path}," +
                        ("server=on,wait=off" if self._listens else "reconnect=1"),
            "-netdev", f"vhost-user,id={name},chardev={name}-port,queues={self._queues}",
            "-device", device,
        ]

    @property
    def _control(self):
        return self._directory / f"{self.name}.qmp{self._starts}"

    @property
    def _arrival(self):
        return self._directory / f"{self.name}.incoming"

    def start(self):
        """Starts the VMM; the guest is usable after wait_ready()."""
        self._starts += 1
        serial = self._directory / f"{self.name}.serial{self._starts}"
        log = self._directory / f"{self.name}.qemu.log"
        self.process = Process(f"guest {self.name}", self._arguments(serial), log)

        def connected():
            self._check_running()
            try:
                return SerialLine(serial)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        self._line = wait_for(connected, 10, f"the VMM of {self.name} opens its serial line")
        return self

    @property
    def qmp(self):
        if not self._qmp:
            self._qmp = Qmp(self._control)
        return self._qmp

    def migrate(self, target):
        """Moves into `target`, its twin, while it runs; QEMU's account of it."""
        wait_for(target._arrival.exists, 20, f"{target.name} waits for {self.name}")
        self.qmp.execute("migrate", uri=f"unix:{target._arrival}")

        def ended():
            info = self.qmp.execute("query-migrate")
            return info if info.get("status") in ("completed", "failed", "cancelled") else None
        info = wait_for(ended, 120, f"{self.name} migrates")
        if info["status"] != "completed":
            raise GuestError(f"{self.name}: migration {info['status']}: {info.get('error-desc')}")
        target.boot_id = self.boot_id
        return info

    def resume(self):
        """Lets a guest that arrived `paused` run on."""
        self.qmp.execute("cont")

    def ram(self):
        """What its memory holds, a copy; of a guest that stands still it is one of a moment."""
        lines = Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()
        area = next(line for line in lines if "memfd:memory-backend" in line and "rw-s" in line)
        start, end = (int(address, 16) for address in area.split()[0].split("-"))
        with open(f"/proc/{self.process.pid}/mem", "rb") as memory:
            memory.seek(start)
            return memory.read(end - start)

    def plug_memory(self, name, size):
        """A DIMM of `size` bytes (a multiple of 128 MiB) appears; the guest uses it at once."""
        self.qmp.execute("object-add", qom_type="memory-backend-memfd", id=f"memory-{name}",
                         size=size, share=True)
        self.qmp.execute("device_add", driver="pc-dimm", id=name, memdev=f"memory-{name}")

    def unplug_memory(self, name):
        """The guest gives a DIMM back; returns when it is gone."""
        self.qmp.execute("device_del", id=name)
        self.qmp.wait_event("DEVICE_DELETED")
        self.qmp.execute("object-del", id=f"memory-{name}")

    def memory_kib(self):
        return int(self.run("grep MemTotal /proc/meminfo").split()[1])

    def _check_running(self):
        if self.process.status is not None:
            raise GuestError(f"the VMM of {self.name} ended with status {self.process.status}:\n"
                             f"{self.process.log_tail()}")

    def wait_ready(self, seconds=BOOT_SECONDS):
        """Waits until the guest has booted, be it for the first time or again."""
        deadline = Deadline(seconds)
        while True:
            line = self._line.receive(deadline, f"guest {self.name} is ready")
            if line.startswith("ready "):
                self.boot_id = line.split()[1]
                return self

    def run(self, command, seconds=60, check=True):
        """Runs a shell command in the guest; its output, or GuestError when it fails."""
        self._commands += 1
        self._line.send(f"{self._commands} {command}")
        deadline = Deadline(seconds)
        output = []
        while True:
            line = self._line.receive(deadline, f"{self.name}: {command}")
            if line.startswith("|"):
                output.append(line[1:])
            elif line.startswith(f"={self._commands} "):
                status = int(line.split()[1])
                if status and check:
                    raise GuestError(f"{self.name}: '{command}' ended with status {status}:\n"
                                     + "\n".join(output))
                return "\n".join(output)

    def ping(self, other, count=5, size=1400, interval=0.1):
        return self.finish_ping(self.start_ping(other, count, size, interval))

    def start_ping(self, other, count, size=64, interval=0.05):
        """Pings in the background; finish_ping() waits for the end and tells the result."""
        self.run(f"ping -c {count} -s {size} -i {interval} -W 2 {other.address} >/tmp/ping 2>&1 &")
        return count * interval

    def finish_ping(self, lasts):
        # Not by the shell's wait: busybox's, in process 1, now and then misses a job's end.
        output = ""

        def summary():
            nonlocal output
            output = self.run("tail -n 5 /tmp/ping", seconds=20, check=False)
            return re.search(r"(\d+) packets transmitted, (\d+) packets received", output)
        match = wait_for(summary, lasts + 60,
                         lambda: f"{self.name}: ping ends; it said:\n{output}\n{self._state()}")
        return PingResult(int(match.group(1)), int(match.group(2)))

    def use_steady_clock(self):
        """The kernel trusts the TSC (tsc=reliable), whose rate it measures while it boots: on a busy
        machine it may be wrong by half or more. That of the ACPI timer is known."""
        self.run("echo acpi_pm >/sys/devices/system/clocksource/clocksource0/current_clocksource")

    def start_endless_ping(self, other, interval):
        """Pings in the background until end_ping(). Each answer is noted with this guest's own
        time, since a ping that gets late with its questions does not tell so."""
        self.run(f"ping -s 64 -i {interval} {other.address} 2>&1 | while read line; do "
                 "read now rest </proc/uptime; echo \"$now $line\"; done >/tmp/answers &")

    def answers(self):
        """Those that came to the endless ping."""
        lines = self.run("grep 'bytes from' /tmp/answers", seconds=60, check=False)
        pattern = r"^([0-9.]+) .*seq=(\d+) .*time=([0-9.]+) ms"
        return [PingAnswer(float(at), int(number), float(took) / 1000)
                for at, number, took in re.findall(pattern, lines, re.MULTILINE)]

    def end_ping(self):
        self.run("killall -INT ping")
        return self.answers()

    def _state(self):
        return self.run("ip addr show eth0; arp -n; grep virtio /proc/interrupts; ps", check=False)

    def pings_received(self):
        """Answers that the ping in the background has had so far."""
        return int(self.run("grep -c 'bytes from' /tmp/ping", check=False) or 0)

    def wait_reachable(self, other, seconds=30):
        """Until one ping comes back: a device that was reset takes a moment to be served again."""
        deadline = Deadline(seconds)
        while not self.ping(other, count=1, size=64).received:
            deadline.check(f"{self.name} reaches {other.name}")

    def offer_file(self, size):
        """Puts `size` random bytes on an HTTP server; returns their SHA-256."""
        self.run(f"mkdir -p /tmp/www && head -c {size} /dev/urandom >/tmp/www/data", seconds=120)
        self.run(f"pidof httpd || httpd -p {HTTP_PORT} -h /tmp/www")
        return self.run("sha256sum </tmp/www/data", seconds=120).split()[0]

    def fetch_file(self, other, seconds=120):
        """The SHA-256 of what `other` offers, as it came over TCP, and the seconds it took."""
        start = time.monotonic()
        self.run(f"wget -q -O /tmp/fetched http://{other.address}:{HTTP_PORT}/data", seconds)
        taken = time.monotonic() - start
        digest = self.run("sha256sum </tmp/fetched && rm /tmp/fetched", seconds).split()[0]
        return digest, taken

    def reboot(self, command="reboot -f"):
        """The guest resets its machine, or starts another kernel; the VMM process stays."""
        self._line.send(f"0 {command}")
        old = self.boot_id
        self.wait_ready()
        if self.boot_id == old:
            raise GuestError(f"{self.name} did not reboot")

    def current_boot_id(self):
        return self.run("cat /proc/sys/kernel/random/boot_id")

    def kill(self):
        """SIGKILL to the VMM, as a crash would end it."""
        self.process.kill()
        self._close()

    def stop(self):
        if self.process:
            self.process.kill()
        self._close()

    def _close(self):
        for line in (self._line, self._qmp):
            if line:
                line.close()
        self._qmp = None

    def console_tail(self, lines=30):
        console = self._directory / f"{self.name}.console"
        text = console.read_text(errors="replace") if console.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def accelerator_works(accelerator, directory, image, seconds=20):
    """Whether a guest boots with it: /dev/kvm can be opened on machines where no guest runs."""
    guest = Guest("probe", directory, image, accelerator)
    try:
        guest.start().wait_ready(seconds)
        return True
    except (GuestError, DeadlineMissed):
        return False
    finally:
        guest.stop()
