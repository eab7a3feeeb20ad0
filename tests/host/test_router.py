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
from raw_segment import (BROADCAST, DECLINE, RELEASE, REQUEST, Segment, dhcp, ethernet, ipv4, udp)

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

    # Shares

    def leases(self):
        return self.router.run("cat /run/dnsmasq.leases")

    def flood(self, frames):
        """No faster than the router takes them, or a queue on the way drops them."""
        asker = self.client(NAMELESS)
        for start in range(0, len(frames), 100):
            for frame in frames[start:start + 100]:
                self.segment.send(frame)
            self.assertEqual(asker.lease(ROUTER, 30), NAMELESS_ADDRESS)

    def test_no_client_speaks_dhcp_for_another(self):
        a, b = self.client("a"), self.client("b")
        self.assertEqual(b.lease(ROUTER), ADDRESSES["b"])
        for kind, words in ((RELEASE, {}), (DECLINE, {"requested": ADDRESSES["b"]})):
            message = dhcp(kind, MACS["b"], ADDRESSES["b"], server=ROUTER, **words)
            for _ in range(3):
                a.send(0x800, ipv4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, message)))
        self.assertEqual(a.lease(ROUTER), ADDRESSES["a"])  # so those before have been looked at
        self.assertIn(f" {ADDRESSES['b']} ", self.leases())
        self.assertEqual(b.lease(ROUTER), ADDRESSES["b"])

    def test_invented_clients_do_not_take_all_leases(self):
        frames = []
        for number in range(1100):
            place = f"{number >> 8:02x}:{number & 255:02x}"
            for start, sender in (("02:00:00:01", None), ("02:00:00:02", MACS["a"])):
                message = dhcp(REQUEST, f"{start}:{place}",
                               requested=f"10.64.{100 + (number >> 8)}.{number & 255}")
                frames.append(ethernet(BROADCAST, sender or f"{start}:{place}", 0x800, ipv4(
                    "0.0.0.0", "255.255.255.255", 17, udp(68, 67, message))))
        self.flood(frames)
        self.assertEqual(self.client("a").lease(ROUTER), ADDRESSES["a"])
        self.assertLess(len(self.leases().splitlines()), 300)
        self.assertEqual(self.client("b").lease(ROUTER), ADDRESSES["b"])

    def test_one_client_does_not_fill_the_table_of_connections(self):
        a, b = self.client("a"), self.client("b")
        for client in (a, b):
            self.assertIsNotNone(client.lease(ROUTER))
        self.assertTrue(a.pings(ADDRESSES["a"], ROUTER))
        most = int(self.router.run("cat /proc/sys/net/netfilter/nf_conntrack_max"))
        self.flood([ethernet(ROUTER_MAC, a.mac, 0x800, ipv4(
            ADDRESSES["a"], ROUTER, 17, udp(port, 53, b""))) for port in range(2000, 2000 + most // 4)])
        self.assertTrue(b.pings(ADDRESSES["b"], ROUTER))
        held = int(self.router.run("conntrack -L 2>/dev/null | grep -c src=" + ADDRESSES["a"]))
        self.assertGreater(held, most // 16)
        self.assertLess(held, most // 7)  # an eighth, and what the count lags behind


if __name__ == "__main__":
    unittest.main()
