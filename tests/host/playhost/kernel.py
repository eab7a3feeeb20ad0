"""Debian's kernel, fetched by apt and unpacked into a cache directory. Nothing is installed.

PLAYHOST_KERNEL names the package of another one (linux-image-6.12.95+deb12-amd64), of
bookworm-backports for instance where apt's sources have that. Under Linux 6.2 or later
cloud-hypervisor's guests are confined by Landlock.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

META_PACKAGE = "linux-image-amd64"
CHOSEN = os.environ.get("PLAYHOST_KERNEL", "")


class Kernel:
    """An unpacked kernel: `image` is what QEMU boots, `modules` a /lib/modules/RELEASE."""

    def __init__(self, root: pathlib.Path):
        modules = root / "lib/modules"
        self.root = root
        self.release = next(entry.name for entry in modules.iterdir())
        self.modules = modules / self.release
        self.image = root / f"boot/vmlinuz-{self.release}"

    def load_order(self, *names: str) -> list[pathlib.Path]:
        """Files of the modules and of all they depend on, in the order they must be loaded."""
        files: list[pathlib.Path] = []
        for name in names:
            shown = subprocess.run(
                ["modprobe", "--dirname", self.root, "--set-version", self.release,
                 "--show-depends", "--ignore-install", name],
                check=True, capture_output=True, text=True).stdout
            for path in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
                if pathlib.Path(path) not in files:
                    files.append(pathlib.Path(path))
        return files


def _package_name() -> str:
    if CHOSEN:
        return CHOSEN
    shown = subprocess.run(["apt-cache", "depends", "--no-recommends", "--no-suggests",
                            "--no-conflicts", "--no-breaks", "--no-replaces", META_PACKAGE],
                           check=True, capture_output=True, text=True).stdout
    found = re.search(r"Depends: (linux-image-\S+)", shown)
    if not found:
        raise RuntimeError(f"apt knows no kernel behind {META_PACKAGE}: run `apt-get update`")
    return found[1]


def fetch(cache: pathlib.Path) -> Kernel:
    """The kernel in `cache`, downloaded first when it is not there. Safe against interruption:
    the directory appears under its name only when it is complete."""
    target = cache / (CHOSEN or "kernel")
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix="kernel.", dir=cache))
        try:
            subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
                            _package_name()], cwd=work, check=True, stdout=subprocess.DEVNULL)
            (package,) = work.glob("*.deb")
            subprocess.run(["dpkg", "-x", package, work / "root"], check=True)
            kernel = Kernel(work / "root")
            subprocess.run(["depmod", "-b", kernel.root, kernel.release], check=True)
            os.rename(work / "root", target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Kernel(target)
