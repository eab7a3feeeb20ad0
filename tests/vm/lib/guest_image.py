"""Kernel and initramfs of the test guests, built on the spot in a cache directory.

The kernel is the one of Debian's cloud image package, unpacked and never installed; the initramfs
holds busybox, the init script, programs asked for with their libraries, and those modules of that
kernel which virtio network cards and serial ports need. Module dependencies are read from the modules themselves (the "depends" string of
.modinfo), so neither depmod nor cpio is needed. Run as a program it builds the image:
guest_image.py DIRECTORY
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
WANTED_MODULES = ("virtio_pci", "virtio_console", "virtio_net")

sys.path.append(str(REPOSITORY / "launcher/images"))

from imagelib.cpio import Cpio  # noqa: E402


class GuestImage:
    """`init` is the first process, `name` the initramfs file: several may share a kernel.
    `programs` are this machine's, beside busybox's."""

    def __init__(self, directory, init=HERE.parent / "guest/init", modules=WANTED_MODULES,
                 name="initramfs.gz", programs=()):
        self.directory = Path(directory)
        self.kernel = self.directory / "vmlinuz"
        self.initramfs = self.directory / name
        self._unpacked = self.directory / "kernel"
        self._init = init
        self._modules = modules
        self._programs = programs
        self._libraries = set()  # that are in the initramfs

    def build(self):
        """Does nothing that was done before; returns self."""
        self.directory.mkdir(parents=True, exist_ok=True)
        unpack = REPOSITORY / "scripts/guest-kernel"  # a newer one unpacks other modules
        if (not self.kernel.exists() or not self._unpacked.exists()
                or self.kernel.stat().st_mtime < unpack.stat().st_mtime):
            subprocess.run([unpack, self._unpacked], check=True)
            [vmlinuz] = self._unpacked.glob("boot/vmlinuz-*")
            shutil.copy(vmlinuz, self.kernel)
        sources = [self._init, Path(__file__), self.kernel]
        newest = max(source.stat().st_mtime for source in sources)
        if not self.initramfs.exists() or self.initramfs.stat().st_mtime < newest:
            self._write_initramfs()
        return self

    def _write_initramfs(self):
        archive = Cpio()
        self._libraries.clear()
        for name in ("bin", "dev", "lib", "lib64", "modules", "proc", "sbin", "sys", "tmp"):
            archive.directory(name)
        archive.file("init", self._init.read_bytes())
        self._add_busybox(archive)
        for program in self._programs:
            self._add_program(archive, program)
        self._add_modules(archive)
        # A new file renamed into place: a guest never boots half an image.
        temporary = self.initramfs.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(gzip.compress(archive.bytes(), compresslevel=1))
        temporary.rename(self.initramfs)

    def _add_busybox(self, archive):
        busybox = shutil.which("busybox")
        if not busybox:
            sys.exit("busybox is missing: run scripts/install-deps")
        archive.file("bin/busybox", Path(busybox).read_bytes())
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
        for applet in set(applets.stdout.split()) - {"busybox", *self._programs}:
            archive.link(f"bin/{applet}", "busybox")

    def _add_program(self, archive, name):
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if not path:
            sys.exit(f"{name} is missing: run scripts/install-deps")
        archive.file(f"bin/{name}", Path(path).read_bytes())
        listing = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
        for library in map(Path, re.findall(r"(/\S+) \(0x", listing)):
            place = "lib64" if library.name.startswith("ld-linux") else "lib"
            if library not in self._libraries:
                archive.file(f"{place}/{library.name}", library.read_bytes())
            self._libraries.add(library)

    def _add_modules(self, archive):
        files = {path.stem.replace("-", "_"): path for path in self._unpacked.rglob("*.ko")}
        order = []
        for module in self._modules:
            self._append_with_dependencies(module, files, order)
        for module in order:
            archive.file(f"modules/{module}.ko", files[module].read_bytes(), 0o644)
        archive.file("modules/order", "".join(f"{m}.ko\n" for m in order).encode(), 0o644)

    def _append_with_dependencies(self, module, files, order):
        if module in order or module not in files:  # not a file: built into the kernel
            return
        match = re.search(rb"\0depends=([^\0]*)\0", files[module].read_bytes())
        for dependency in filter(None, match.group(1).decode().split(",") if match else ()):
            self._append_with_dependencies(dependency.replace("-", "_"), files, order)
        order.append(module)


if __name__ == "__main__":
    image = GuestImage(sys.argv[1]).build()
    print(f"kernel {image.kernel}\ninitramfs {image.initramfs}")
