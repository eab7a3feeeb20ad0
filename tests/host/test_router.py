#!/usr/bin/env python3
"""The router image alone, and on its client side a test that sends what no honest client would.

No play host: one guest under emulation, here; clients are frames (raw_segment.py).
"""

from playhost import sandbox

sandbox.enter()

import hashlib
import json
import socket
import unittest

from host_case import FarCase
from image_guest import ImageGuest
from raw_segment import (BROADCAST, DECLINE, RELEASE, REQUEST, Segment, dhcp, ethernet, icmp6, ipv4, udp,
                         mac_bytes, v4, v6)

ROUTER_MAC, ROUTER = "02:00:00:00:00:01", "10.64.0.1"
MACS = {"a": "02:00:00:00:0a:02", "b": "02:00:00:00:0b:03", "c": "02:00:00:00:0c:04"}
ADDRESSES = {"a": "10.64.10.2", "b": "10.64.11.3", "c": "10.64.12.4"}
ROUTER6 = "fe80::ff:fe00:1"
NAMELESS, NAMELESS_ADDRESS = "02:00:00:00:0d:05", "10.64.13.5"
CONFIG = {
    "segments": [{"mac": ROUTER_MAC, "network": "10.64.0.0/16"}],
    "clients": [*({"name": name, "mac": MACS[name], "address": ADDRESSES[name]} for name in "abc"),
                {"mac": NAMELESS, "address": NAMELESS_ADDRESS}],
    "allow_between": ["a -> b"],
}


def six_from(mac):
    """The address made from the MAC in the router's own network (interface, in the image, makes its prefix)."""
    digest = hashlib.sha256(ROUTER_MAC.encode()).digest()
    part = mac_bytes(mac)
    return socket.inet_ntop(socket.AF_INET6, b"\xfd" + digest[:5] + b"\0\0" + bytes((part[0] ^ 2,)) + part[1:3]
                            + b"\xff\xfe" + part[3:])


class Router(FarCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.segment = Segment("segment")
        cls.addClassCleanup(cls.segment.close)
        cls.router = ImageGuest("router", "router", cls.directory, [
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

    # Addresses of others. Clients that are not listed have MACs of their own in each test.

    def answered(self, forger, sender, victim, own):
        """Whether the forger's ping from `sender`, the victim's, is answered: before the victim's from `own`."""
        six = ":" in own
        self.assertTrue(victim.pings(own, ROUTER6 if six else ROUTER))
        forger.ping(sender, ROUTER6 if six else ROUTER)
        victim.ping(own, ROUTER6 if six else ROUTER)
        return victim.echo() == (False, forger.identifier)

    def neighbour(self, address, asker, own):
        """What the router takes for the MAC of the address, once it has heard all that came before this."""
        self.assertTrue(asker.pings(own, ROUTER6 if ":" in own else ROUTER))
        return self.router.run(f"ip neighbour show {address}")

    def test_a_leased_address_is_its_holders_alone(self):
        x, y = self.client("02:00:00:00:21:01"), self.client("02:00:00:00:21:02")
        held, own = x.lease(ROUTER), y.lease(ROUTER)
        self.router.until(f"grep {x.mac} /run/leased/{held}")
        self.assertFalse(self.answered(y, held, x, held))
        y.arp(1, held, ROUTER)
        y.arp(2, held, ROUTER)
        self.assertNotIn(y.mac, self.neighbour(held, y, own))
        self.assertTrue(x.pings(held, ROUTER))

    def test_a_lease_takes_an_address_from_whom_it_does_not_belong_to(self):
        x, y = self.client("02:00:00:00:22:01"), self.client("02:00:00:00:22:02")
        address = x.offered()
        y.addresses.add(address)
        y.arp(1, address, ROUTER)
        self.assertTrue(y.pings(address, ROUTER))  # nobody's yet
        self.assertEqual(x.lease(ROUTER), address)
        self.router.until(f"grep {x.mac} /run/leased/{address}")
        self.router.until(f"ip neighbour show {address} | grep {x.mac}")
        self.assertFalse(self.answered(y, address, x, address))
        x.say(RELEASE, sender=address, server=ROUTER)
        self.router.until(f"[ ! -e /run/leased/{address} ]")
        self.assertNotIn(address, self.router.run("nft list table inet router | grep -A 3 'set lease'"))
        self.assertEqual(x.lease(ROUTER), address)

    def test_an_address_without_a_lease_is_that_of_who_came_first(self):
        x, y = self.client("02:00:00:00:23:01"), self.client("02:00:00:00:23:02")
        own, others = "10.64.200.1", "10.64.200.2"
        for client, address in ((x, own), (y, others)):
            client.addresses.add(address)
            self.assertTrue(client.pings(address, ROUTER))
        self.assertFalse(self.answered(y, own, x, own))
        y.arp(1, own, ROUTER)
        self.assertNotIn(y.mac, self.neighbour(own, y, others))

    def test_an_address_made_from_a_mac_is_that_ones(self):
        x, y = self.client("02:00:00:00:24:01"), self.client("02:00:00:00:24:02")
        own, others = "fe80::ff:fe00:2401", "fe80::ff:fe00:2402"
        for client, address in ((x, own), (y, others)):
            client.addresses.add(address)
        y.ping(own, ROUTER6)  # though y comes first
        self.assertFalse(self.answered(y, own, x, own))
        self.advertise_another(y, others, own)
        self.assertNotIn(y.mac, self.neighbour(own, y, others))
        for byte in range(6):
            mac = [0x02, 0, 0, 0, 0x24, 0x01]
            mac[byte] ^= 4
            near = self.client(":".join(f"{part:02x}" for part in mac))
            self.assertFalse(self.answered(near, own, x, own), near.mac)

    def test_any_other_ipv6_address_is_that_of_who_came_first(self):
        x, y = self.client("02:00:00:00:25:01"), self.client("02:00:00:00:25:02")
        own, others = "fe80::1234:5678:9abc:def0", "fe80::1234:5678:9abc:def1"
        for client, address in ((x, own), (y, others)):
            client.addresses.add(address)
            self.assertTrue(client.pings(address, ROUTER6))
        self.assertFalse(self.answered(y, own, x, own))
        self.advertise_another(y, others, own)
        self.advertise_another(y, "::", own)
        self.assertNotIn(y.mac, self.neighbour(own, y, others))

    def test_one_client_does_not_take_all_addresses(self):
        x, y = self.client("02:00:00:00:26:01"), self.client("02:00:00:00:26:02")
        x.addresses.add("fe80::26:1")
        self.flood([ethernet(ROUTER_MAC, y.mac, 0x86dd, icmp6(f"fe80::2600:{number:x}", ROUTER6, 128, b"12345678"))
                    for number in range(2000)])
        taken = self.router.run("nft list set inet router taken6 | grep -o 0xfe80000000000000000000002600....")
        self.assertLess(len(taken.split()), 200, taken)
        self.assertGreater(len(taken.split()), 10, taken)
        self.assertTrue(x.pings("fe80::26:1", ROUTER6))

    @staticmethod
    def advertise_another(client, sender, target):
        """As if the client's MAC were the target's: a neighbour advertisement that overrides."""
        payload = b"\x20\0\0\0" + v6(target) + b"\x02\x01" + mac_bytes(client.mac)
        client.send(0x86dd, icmp6(sender, "ff02::1", 136, payload), "33:33:00:00:00:01")

    # Who reaches whom

    def own(self, name, six):
        """The client's address of the family, which it answers for from now on."""
        address = six_from(MACS[name]) if six else ADDRESSES[name]
        self.client(name).addresses.add(address)
        return address

    def reaches(self, sender, receiver, six):
        """Whether an echo request comes to the receiver, which has said where it is: before the answer to its own."""
        x, y = self.client(sender), self.client(receiver)
        router = ROUTER6 if six else ROUTER
        for client, name in ((x, sender), (y, receiver)):
            self.assertTrue(client.pings(self.own(name, six), router))
        x.ping(self.own(sender, six), self.own(receiver, six))
        y.ping(self.own(receiver, six), router)
        return y.echo() == (True, x.identifier)

    def test_pairs_that_are_allowed_reach_each_other_and_no_others_do(self):
        pairs = [(x, y) for x in "abc" for y in "abc" if x != y]
        for six in (False, True):
            reached = [pair for pair in pairs if self.reaches(*pair, six)]
            self.assertEqual(reached, [("a", "b")], six)

    def test_who_was_asked_may_answer(self):
        a, b = self.client("a"), self.client("b")
        for six in (False, True):
            self.assertTrue(self.reaches("a", "b", six))
            b.ping(self.own("b", six), self.own("a", six), identifier=a.identifier, answer=True)
            self.assertEqual(a.echo(), (False, a.identifier))

    def test_the_router_stands_in_for_whom_a_client_may_reach(self):
        a = self.client("a")
        a.addresses.add(ADDRESSES["a"])
        for name in "cb":  # the second one's answer is the first that comes
            a.arp(1, ADDRESSES["a"], ADDRESSES[name])
        frame = a.await_frame(lambda f: f[12:14] == b"\x08\x06" and f[21] == 2)
        self.assertEqual(frame[22:32], mac_bytes(ROUTER_MAC) + v4(ADDRESSES["b"]))

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

    def speak_for(self, forger, victim, held):
        """What would end the victim's lease, if it were from the victim; and a lease of the forger's own."""
        for kind, words in ((RELEASE, {}), (DECLINE, {"requested": held})):
            message = dhcp(kind, victim.mac, held, server=ROUTER, **words)
            for _ in range(3):
                forger.send(0x800, ipv4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, message)))
        self.assertIsNotNone(forger.lease(ROUTER))  # so those before have been looked at

    def test_no_client_speaks_dhcp_for_another(self):
        listed, others = (self.client("a"), self.client("b")), \
            (self.client("02:00:00:00:27:01"), self.client("02:00:00:00:27:02"))
        for forger, victim in (listed, others):
            held = victim.lease(ROUTER)
            self.assertIsNotNone(held)
            self.speak_for(forger, victim, held)
            self.assertIn(f" {held} ", self.leases())
            self.assertEqual(victim.lease(ROUTER), held)

    def test_no_client_has_several_leases_by_what_it_says_its_hardware_is(self):
        a = self.client("a")
        for kind, length in ((6, 6), (1, 5), (1, 16)):
            message = bytearray(dhcp(REQUEST, a.mac, requested=f"10.64.90.{kind + length}"))
            message[1:3] = bytes((kind, length))
            a.send(0x800, ipv4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, bytes(message))), BROADCAST)
        self.assertEqual(a.lease(ROUTER), ADDRESSES["a"])
        self.assertNotIn(" 10.64.90.", self.leases())

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
        self.addCleanup(self.router.run, "conntrack -F")
        self.flood([ethernet(ROUTER_MAC, a.mac, 0x800, ipv4(
            ADDRESSES["a"], ROUTER, 17, udp(port, 53, b""))) for port in range(2000, 2000 + most // 4)])
        self.assertTrue(b.pings(ADDRESSES["b"], ROUTER))
        held = int(self.router.run("conntrack -L 2>/dev/null | grep -c src=" + ADDRESSES["a"]))
        self.assertGreater(held, most // 16)
        self.assertLess(held, most // 7)  # an eighth, and what the count lags behind


if __name__ == "__main__":
    unittest.main()
