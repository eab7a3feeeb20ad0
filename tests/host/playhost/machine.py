"""The QEMU process that plays the host."""

import dataclasses
import pathlib
import queue
import subprocess
import sys
import tempfile
import time

from . import initramfs, kernel, sandbox, tsc
from .channel import Channel, CommandFailed, Result

_INSIDE = pathlib.Path(__file__).resolve().parent.parent / "inside"
_ACCELERATOR = ("-accel", "tcg,thread=multi")
_BOOT_DEADLINE = 300.0  # seconds; it takes 5 on an idle machine, and must not fail on a busy one


@dataclasses.dataclass
class Nic:
    """An e1000e. `place` is bus and address in QEMU's words: "pcie.0/4.0" is slot 4 of the root
    bus. `tap` is one of FarNetwork.taps; without it the NIC has a link and no peer."""

    place: str
    mac: str
    tap: str = ""

    def options(self, number: int) -> list[str]:
        backend = (f"tap,id=net{number},ifname={self.tap},script=no,downscript=no" if self.tap
                   else f"user,id=net{number},restrict=on")
        return ["-netdev", backend, "-device",
                f"e1000e,netdev=net{number},mac={self.mac},romfile=,{at(self.place)}"]


def at(place: str) -> str:
    """QEMU's device properties for a place; function 0 says that there may be others."""
    bus, address = place.split("/")
    return f"bus={bus},addr={address},multifunction={'on' if address.endswith('.0') else 'off'}"


def shared_group_slot(name: str, place: str) -> list[str]:
    """QEMU options for a root port without access control services: it and everything behind it
    is one IOMMU group, as on boards where a NIC shares its group. Functions go to `name`/0.x."""
    return ["-device", f"pcie-root-port,id={name},disable-acs=on,chassis={len(name)},{at(place)}"]


class Machine:
    """with Machine(directory, cache, ...) as host: host.run("lspci")"""

    def __init__(self, directory: pathlib.Path, cache: pathlib.Path, nics: list[Nic],
                 command_line: str = "intel_iommu=on iommu=pt", memory: int = 2048,
                 devices: list[str] | None = None, keep_files: bool = False,
                 systemd: bool = False, runs_vms: bool = False):
        """`devices` are further QEMU arguments. With `keep_files` what the play host writes is
        still there after its reboot; with `systemd` that is its process 1 (and needs it). One that
        `runs_vms` is waited for longer, has one CPU, and a tick that never stops.

        One CPU: KVM turns code on and off as VMs come and go (static keys). While one CPU of the
        play host writes such an instruction, QEMU's thread of another may be translating it, and
        keep a translation of the breakpoint that stands there for a moment: that CPU takes the
        breakpoint for ever, with interrupts off, and the other one waits for it for ever. A tick:
        the emulation of SVM changes pending interrupts without QEMU's lock. Should one of the
        host's be lost, the next follows 4 ms later."""
        self._directory = directory
        self._patience = 120 if runs_vms else 20  # seconds; VMs make it slow
        self.console = directory / "console.log"
        linux = kernel.fetch(cache)
        timing = f"tsc=reliable tsc_early_khz={tsc.khz()} no_timer_check"
        if runs_vms:
            timing += " highres=off nohz=off"
        # clearcpuid: instructions that copy or set a word at a time are slow under emulation.
        append = ("console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests "
                  f"clearcpuid=rep_good {timing} {command_line} "
                  f"playhost.init={_INSIDE / 'init.sh'} playhost.agent={_INSIDE / 'agent.py'} "
                  f"playhost.modules={linux.modules} playhost.systemd={int(systemd)}")
        argv = ["qemu-system-x86_64", *_ACCELERATOR,
                "-cpu", "max,la57=off,erms=off,fsrm=off", "-smp", "1" if runs_vms else "2",
                "-M", "q35,kernel-irqchip=off", "-m", str(memory), "-nodefaults", "-nographic",
                "-device", "intel-iommu,intremap=on,caching-mode=on",
                "-kernel", linux.image,
                "-initrd", initramfs.build(linux, directory / "initramfs"), "-append", append,
                "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,"
                           "multidevs=remap",
                "-serial", f"file:{self.console}", "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={directory / 'agent'},server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=playhost",
                *self._layer_options(keep_files), *(devices or [])]
        for number, nic in enumerate(nics):
            argv += nic.options(number)  # after the devices: those may be the buses they sit on
        self._start([str(word) for word in argv])

    def _layer_options(self, keep_files: bool) -> list[str]:
        if not keep_files:
            return ["-no-reboot"]
        disk = self._directory / "layer.ext4"
        with disk.open("wb") as image:
            image.truncate(256 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", disk], check=True)
        return ["-drive", f"if=none,id=layer,format=raw,cache=unsafe,file={disk}",
                "-device", "virtio-blk-pci,drive=layer,serial=playhost-layer"]

    def _start(self, argv: list[str]) -> None:
        self._channel: Channel | None = None
        with open(self._directory / "qemu.log", "wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT, preexec_fn=sandbox.on_parent_exit)
        try:
            deadline = time.monotonic() + 10
            while True:  # QEMU makes the socket just after it starts
                try:
                    self._channel = Channel(str(self._directory / "agent"))
                    break
                except (FileNotFoundError, ConnectionRefusedError):
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("QEMU did not start") from None
                    time.sleep(0.01)
            self.boot_id = self._wait_for_boot()
        except BaseException:
            self.close()
            sys.stderr.write(self.logs())
            raise

    def _wait_for_boot(self) -> str:
        try:
            return self._channel.wait_for_hello(_BOOT_DEADLINE)
        except queue.Empty:
            raise TimeoutError("the play host did not come up") from None

    def run(self, *argv, **options) -> Result:
        """Runs a command inside. Raises CommandFailed unless it ends with 0 (or check=False)."""
        options.setdefault("timeout", self._patience)
        return self._channel.run(argv, **options)

    def shell(self, script: str, **options) -> Result:
        return self.run("/bin/sh", "-ec", script, **options)

    def spawn(self, *argv, **options) -> int:
        return self._channel.spawn(argv, **options)

    def wait(self, pid: int, timeout: float) -> int | None:
        return self._channel.wait(pid, timeout)

    def read(self, path: str) -> str:
        return self.run("cat", path).out

    def until(self, script: str, timeout: float = 20) -> Result:
        """Waits until a shell condition holds inside; returns its output."""
        waiting = f"until {{ {script}\n}} 2>/dev/null; do sleep 0.1; done"
        result = self._channel.run(["/bin/sh", "-c", waiting], timeout=timeout, check=False)
        if result.timed_out:
            raise CommandFailed(result)
        return result

    def reboot(self) -> None:
        """Reboots as a reset does, after the files are on disk. Needs keep_files."""
        self.run("sync")
        self.spawn("/bin/sh", "-c", "echo b > /proc/sysrq-trigger")
        self.boot_id = self._wait_for_boot()

    def logs(self) -> str:
        """What QEMU and the play host's kernel said, for a failed test."""
        texts = [path.read_text(errors="replace")[-8000:]
                 for path in (self._directory / "qemu.log", self.console) if path.exists()]
        return "\n".join(texts)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._channel:
            self._channel.close()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def temporary_directory() -> tempfile.TemporaryDirectory:
    """For a test's files: gone with the sandbox, and short because socket paths are limited."""
    return tempfile.TemporaryDirectory(prefix="playhost.", dir=sandbox.DIRECTORY)
