#!/usr/bin/env python3
"""The images as files: the same packages give the same bytes, and what should be inside is."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
BUILD = pathlib.Path(__file__).resolve().parents[2] / "launcher/images/build.py"


class ImageBuild(unittest.TestCase):
    def build(self, image):
        with tempfile.TemporaryDirectory() as directory:
            shown = subprocess.run([sys.executable, "-B", BUILD, image, directory, "--list", "--cache",
                                    IMAGES / "cache"], check=True, capture_output=True, text=True)
            self.assertIn("busybox_1", pathlib.Path(directory, f"{image}.packages").read_text())
            files = {suffix: pathlib.Path(directory, f"{image}.{suffix}").read_bytes()
                     for suffix in ("vmlinuz", "initramfs")}
        return shown.stdout.splitlines(), files

    def check(self, image, inside):
        """Built again, elsewhere, it is the same bytes; and what belongs inside is inside."""
        shown, files = self.build(image)
        print(shown[0])
        for suffix, data in files.items():
            self.assertEqual(data, (IMAGES / f"{image}.{suffix}").read_bytes(), suffix)
        self.assertEqual(len(files["initramfs"]) % 512, 0)
        for pattern in inside:
            self.assertTrue(any(pattern in name for name in shown), pattern)
        return shown

    def test_router(self):
        self.check("router", ("usr/sbin/dnsmasq", "usr/sbin/nft", "usr/sbin/conntrack", "etc/inittab",
                              "/e1000e.ko", "/igb.ko", "/r8169.ko", "/virtio_net.ko", "/nf_tables.ko"))

    def test_app(self):
        names = self.check("app", ("usr/bin/nc", "usr/bin/ping", "usr/bin/sha256sum",
                                   "usr/sbin/dhcpcd", "/virtio_net.ko"))
        self.assertNotIn("usr/sbin/dnsmasq", names)


if __name__ == "__main__":
    unittest.main()
