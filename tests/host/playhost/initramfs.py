"""The smallest initramfs that reaches the machine's own root: modules, mounts, switch_root."""

import pathlib
import shutil
import subprocess
import tempfile

from .kernel import Kernel

_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", "virtio_blk", "ext4")

# Everything that an init would mount is mounted here, by programs in memory: each program that is
# started from the 9p root takes a tenth of a second. The upper layer is a tmpfs, or the disk of
# that serial number where a test wants its files to survive a reboot of the play host.
_INIT = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules.order); do insmod /modules/$module || exec sh; done
mkdir -p /lower /layer /new
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower
mount -t tmpfs layer /layer
for disk in /sys/block/vd*; do
  [ "$(cat $disk/serial 2>/dev/null)" = playhost-layer ] && mount -t ext4 /dev/${disk##*/} /layer
done
mkdir -p /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /new
for option in $(cat /proc/cmdline); do
  case $option in
    playhost.init=*) init=${option#playhost.init=} ;;
    playhost.modules=*) modules=${option#playhost.modules=} ;;
  esac
done
mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs -o mode=1777 shm /new/dev/shm
mount -t tmpfs run /new/run
mkdir -p /new/run/lock /new/lib/modules
# DPDK's drivers come with its development packages alone, and it loads all that are there.
for drivers in /new/usr/lib/*/dpdk/pmds-*; do
  [ ! -d "$drivers" ] || mount -t tmpfs none "$drivers"
done
rm -rf /new/lib/modules/$(uname -r)
ln -s $modules /new/lib/modules/$(uname -r)
hostname playhost
ip link set lo up
umount /dev /sys /proc
exec switch_root /new /bin/sh $init
"""


def build(kernel: Kernel, target: pathlib.Path) -> pathlib.Path:
    """Writes the initramfs to `target` and returns it."""
    with tempfile.TemporaryDirectory(prefix="initramfs.") as name:
        root = pathlib.Path(name)
        for directory in ("bin", "dev", "proc", "sys", "modules"):
            (root / directory).mkdir()
        busybox = shutil.which("busybox")
        if not busybox:
            raise RuntimeError("no busybox: install the package busybox-static")
        shutil.copy(busybox, root / "bin/busybox")
        order = kernel.load_order(*_MODULES)
        for module in order:
            shutil.copy(module, root / "modules")
        (root / "modules.order").write_text("".join(f"{module.name}\n" for module in order))
        (root / "init").write_text(_INIT)
        (root / "init").chmod(0o755)
        names = "\0".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
        archive = subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet"],
                                 cwd=root, input=names.encode(), check=True, capture_output=True)
        target.write_bytes(archive.stdout)
    return target
