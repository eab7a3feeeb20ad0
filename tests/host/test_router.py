#!/usr/bin/env python3
"""The router image alone, and on its client side a test that sends what no honest client would.

No play host: one guest under emulation, here; clients are frames (raw_segment.py).
"""

from playhost import sandbox

sandbox.enter()

import json
import pathlib
import unittest

from image_guest import ImageGuest
from playhost import FarNetwork, machine
from raw_segment import Segment

ROUTER_MAC, ROUTER = "02:00:00:00:00:01", "10.64.0.1"
MACS = {"a": "02:00:00:00:0a:02", "b": "02:00:00:00:0b:03"}
ADDRESSES = {"a": "10.64.10.2", "b": "10.64.11.3"}
NAMELESS, NAMELESS_ADDRESS = "02:00:00:00:0d:05", "10.64.13.5"
CONFIG = {
    "segments": [{"mac": ROUTER_MAC, "network": "10.64.0.0/16"}],
    "clients": [*({"name": name, "mac": MACS[name], "address": ADDRESSES[name]} for name in "ab"),
                {"mac": NAMELESS, "address": NAMELESS_ADDRESS}],
}


class Router(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = machine.temporary_directory()
        cls.addClassCleanup(temporary.cleanup)
        directory = pathlib.Path(temporary.name)
        cls.far = FarNetwork(directory)
        cls.addClassCleanup(cls.far.close)
        cls.segment = Segment("segment")
        cls.addClassCleanup(cls.segment.close)
        cls.router = ImageGuest("router", "router", directory, [
            "-netdev", "tap,id=wan,ifname=tap0,script=no,downscript=no",
            "-device", "e1000e,netdev=wan,mac=52:54:00:00:00:04,romfile=",
            "-netdev", "tap,id=clients,ifname=segment,script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=clients,mac={ROUTER_MAC},romfile=,vectors=0"],
            memory=192, files={"etc/router.json": json.dumps(CONFIG).encode()}).start()
        cls.addClassCleanup(cls.router.kill)
        cls.router.wait_ready()

    def client(self, name):
        return self.segment.client(MACS.get(name, name))

    # Drivers

    def test_the_kernel_gets_the_modules_that_it_asks_for(self):
        self.assertNotIn("macsec", self.router.run("lsmod"))
        self.router.run("ip link add link clients0 name secure type macsec && ip link del secure")
        self.assertIn("macsec", self.router.run("lsmod"))

    def test_realteks_card_has_what_it_does_not_work_without(self):
        line = self.router.run("grep '/r8169.ko[^ ]*:' /lib/modules/*/modules.dep")
        self.assertIn("/realtek.ko", line.partition(":")[2])
        self.router.run("/usr/lib/guest/load_modules r8169")
        self.assertIn("realtek", self.router.run("lsmod"))

    # Names

    def test_a_client_without_a_name_has_its_address_and_no_name(self):
        client = self.client(NAMELESS)
        self.assertEqual(client.lease(ROUTER, hostname="b"), NAMELESS_ADDRESS)
        self.assertEqual(client.lease(ROUTER, hostname="boaster"), NAMELESS_ADDRESS)
        self.assertTrue(client.pings(NAMELESS_ADDRESS, ROUTER))
        self.assertFalse(self.client("02:00:00:00:0e:06").pings(NAMELESS_ADDRESS, ROUTER))
        for name in ("b", "boaster"):
            self.assertNotIn(NAMELESS_ADDRESS,
                             self.router.run(f"nslookup {name}.internal {ROUTER}", check=False))


if __name__ == "__main__":
    unittest.main()
