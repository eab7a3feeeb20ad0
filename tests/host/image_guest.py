"""A guest made from an image, run by QEMU here (not in the play host), and a switch for several."""

import json
import os
import pathlib
import select
import socket
import subprocess
import sys

from playhost.console import Console
from playhost.sandbox import on_parent_exit

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "launcher/images"))

from imagelib.cpio import Cpio  # noqa: E402

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
BOOT = 240  # seconds; it takes 5 on an idle machine


def initramfs_with(image, files, more, target):
    """The image's initramfs with an archive behind it, as the launcher writes it, and another."""
    archive = Cpio()
    archive.directory("etc")
    for name, data in files.items():
        archive.file(name, data, 0o600)
    target.write_bytes((IMAGES / f"{image}.initramfs").read_bytes() + archive.bytes() + more)
    return target


class ImageGuest:
    def __init__(self, name, image, directory, devices, memory=128, files=None, more=b""):
        self.name = name
        self._directory = pathlib.Path(directory)
        initramfs = IMAGES / f"{image}.initramfs"
        if files or more:
            initramfs = initramfs_with(image, files or {}, more,
                                       self._directory / f"{name}.initramfs")
        self._argv = [
            "qemu-system-x86_64", "-name", name, "-nodefaults", "-no-user-config", "-display", "none",
            "-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", f"{memory}M",
            "-object", f"memory-backend-memfd,id=m,size={memory}M,share=on", "-numa", "node,memdev=m",
            "-kernel", str(IMAGES / f"{image}.vmlinuz"), "-initrd", str(initramfs),
            "-append", f"console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off no_timer_check hostname={name}",
            "-chardev", f"socket,id=console,path={self._path('console')},server=on,wait=on",
            "-serial", "chardev:console",
            "-qmp", f"unix:{self._path('qmp')},server=on,wait=off", *devices]
        self.process = None

    def _path(self, kind):
        return self._directory / f"{self.name}.{kind}"

    def start(self):
        for kind in ("console", "qmp"):
            self._path(kind).unlink(missing_ok=True)
        with open(self._path("log"), "ab") as log:
            self.process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=on_parent_exit)
        self._socket = self._connect("console")
        self.console = Console(self.name, self._receive, self._socket.sendall)
        return self

    def _connect(self, kind):
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._path(kind)))
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if self.process.poll() is not None:
                    raise AssertionError(self._path("log").read_text()) from None
                select.select([], [], [], 0.01)

    def _receive(self, seconds):
        if not select.select([self._socket], [], [], seconds)[0]:
            return b""
        data = self._socket.recv(65536)
        if not data:
            raise AssertionError(f"{self.name}'s VMM ended; it said:\n"
                                 f"{self._path('log').read_text()}{self.console.text[-3000:]}")
        return data

    def wait_ready(self):
        self.console.wait_for(rf"^{self.name}: ready", BOOT)
        return self

    def run(self, command, **options):
        return self.console.run(command, **options)

    def until(self, command, timeout=60):
        """Until the command, repeated in the guest, succeeds."""
        return self.run(f"until {command}; do usleep 200000; done", timeout=timeout)

    def qmp(self, command, event=None, **arguments):
        """Returns when QEMU has answered, and has told of the event, where one is given."""
        with self._connect("qmp") as connection, connection.makefile("rw") as stream:
            connection.settimeout(60)
            stream.readline()  # greeting
            for words in ({"execute": "qmp_capabilities"},
                          {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(words) + "\n")
                stream.flush()
                while "event" in (answer := json.loads(stream.readline())):
                    pass
                if "error" in answer:
                    raise AssertionError(f"{self.name}: {command}: {answer['error']}")
            while event and json.loads(stream.readline()).get("event") != event:
                pass

    def unplug(self, device):
        """Until it is gone from the machine, which is after it is gone from the guest."""
        self.qmp("device_del", event="DEVICE_DELETED", id=device)

    def power_button(self, timeout=60):
        """Seconds do not matter here: the machine may be busy. It ends by itself or fails."""
        self.qmp("system_powerdown")
        self.process.wait(timeout)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self._socket.close()


class Switch:
    """`ports` by name: whether they are isolated."""

    def __init__(self, directory, ports):
        self._directory = directory
        ready, child = os.pipe()
        words = [str(BUILD / "switchd/switchd"), "--control-socket", str(directory / "control"),
                 "--socket-dir", str(directory), "--ready-fd", str(child)]
        for port, isolated in ports.items():
            words += ["--port", f"{port}={directory / port}.sock"]
            words += ["--isolated", port] if isolated else []
        with open(directory / "switchd.log", "wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, pass_fds=(child,),
                                            preexec_fn=on_parent_exit)
        os.close(child)
        if not os.read(ready, 1):
            raise AssertionError((directory / "switchd.log").read_text())
        os.close(ready)

    def device(self, port, mac):
        """QEMU's words for a card on the port (vectors=0: QEMU 7.2 crashes on MSI-X without KVM)."""
        return ["-chardev", f"socket,id={port},path={self._directory / port}.sock,reconnect=1",
                "-netdev", f"vhost-user,id=net-{port},chardev={port}",
                "-device", f"virtio-net-pci,netdev=net-{port},mac={mac},romfile=,vectors=0"]
