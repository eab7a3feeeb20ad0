"""A guest starts another kernel without a reset of its machine: the device is reset by its driver."""

import gzip
import os
from pathlib import Path

from lib.guest_image import Cpio
from lib.testcase import VmTestCase


class Kexec(VmTestCase):
    def initramfs_with_kernel(self):
        """The image's own, and behind it an archive with the program, the kernel and the image."""
        image = self.testbed.image
        archive = Cpio()
        archive.directory("boot")
        archive.file("bin/kexec", Path(os.environ["SWITCHD_GUEST_KEXEC"]).read_bytes())
        archive.file("boot/vmlinuz", image.kernel.read_bytes(), 0o644)
        archive.file("boot/initramfs", image.initramfs.read_bytes(), 0o644)
        path = self.testbed.directory / "kexec.initramfs"
        path.write_bytes(image.initramfs.read_bytes()
                         + gzip.compress(archive.bytes(), compresslevel=1))
        return path

    def test_kexec_under_traffic(self):
        switch = self.testbed.start_switch(["a", "b"])
        a = self.testbed.start_guest("a", initramfs=self.initramfs_with_kernel())
        b = self.testbed.start_guest("b")
        a.wait_ready()
        b.wait_ready()
        self.assert_forwards(a, b)
        connection = switch.query("port", "show", "a")["vmm_pid"]
        # Frames for the old kernel's rings go on arriving while the new one starts.
        lasts = b.start_ping(a, count=100, size=1400, interval=0.02)
        a.reboot("kexec /boot/vmlinuz /boot/initramfs")
        b.finish_ping(lasts)
        self.assert_forwards(a, b)
        self.assert_file_arrives(a, b, size=5_000_000)
        port = switch.query("port", "show", "a", "--messages")
        self.assertEqual(port["vmm_pid"], connection)
        connections = [line for line in port["messages"] if " connected " in line]
        self.assertLessEqual(len(connections), 1, "the VMM connected again")
