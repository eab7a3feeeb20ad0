#!/usr/bin/env python3
"""The router image with two cards, each on a network that delegates an IPv6 prefix.

No play host: one guest under emulation, here; clients are frames (raw_segment.py).
"""

from playhost import sandbox

sandbox.enter()

import ipaddress
import json
import subprocess
import unittest

from delegating_server import DelegatingServer
from host_case import FarCase
from image_guest import ImageGuest
from playhost.far_network import FAR_ADDRESS6
from raw_segment import Segment, icmp6

ROUTER_MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
CARDS = ("52:54:00:00:00:04", "52:54:00:00:00:05")
CARD_ADDRESSES = ("fe80::5054:ff:fe00:4", "fe80::5054:ff:fe00:5")
CLIENT, CLIENT_ID = "02:00:00:00:0a:02", "::ff:fe00:a02"
# Of the second there is one network only.
PREFIXES = ("2001:db8:a:40::/58", "2001:db8:b:7::/64")
CONFIG = {"segments": [{"mac": mac, "network": f"10.{number}.0.0/16"} for number, mac in zip((64, 65), ROUTER_MACS)]}


def card(number):
    return {"driver": "e1000e", "netdev": f"wan{number}", "mac": CARDS[number], "romfile": "", "id": f"card{number}",
            "bus": f"port{number}"}


def client_side(number):
    return {"driver": "virtio-net-pci", "netdev": f"clients{number}", "mac": ROUTER_MACS[number], "romfile": "",
            "vectors": 0, "id": f"side{number}", "bus": f"port{2 + number}"}


def words(device):
    return ",".join([device["driver"], *(f"{key}={value}" for key, value in device.items() if key != "driver")])


class Delegation(FarCase):
    LANS = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = [DelegatingServer(tap, prefix, f"fd77:{number}::d:1")
                       for number, (tap, prefix) in enumerate(zip(cls.far.taps, PREFIXES))]
        for server, address in zip(cls.servers, CARD_ADDRESSES):
            cls.addClassCleanup(server.close)
            subprocess.run(["ip", "-6", "route", "add", str(server.prefix), "via", address, "dev", server.interface],
                           check=True)
        cls.segments = [Segment("segment0"), Segment("segment1")]
        devices = []
        for number in range(2):
            cls.addClassCleanup(cls.segments[number].close)
            devices += ["-netdev", f"tap,id=wan{number},ifname=tap{number},script=no,downscript=no",
                        "-netdev", f"tap,id=clients{number},ifname=segment{number},script=no,downscript=no"]
        for number in range(4):
            devices += ["-device", f"pcie-root-port,id=port{number},slot={number + 1}"]
        for device in (card(0), card(1), client_side(0)):
            devices += ["-device", words(device)]
        cls.router = ImageGuest("router", "router", cls.directory, devices, memory=192,
                                files={"etc/router.json": json.dumps(CONFIG).encode()}).start()
        cls.addClassCleanup(cls.router.kill)
        cls.router.wait_ready()
        cls.client = cls.segments[0].client(CLIENT)

    def setUp(self):
        self.await_networks("clients0", ["2001:db8:a:40::1/64", "2001:db8:b:7::1/64"])

    def await_networks(self, interface, networks):
        """Until the interface has these addresses and no others that are delegated."""
        wanted = " ".join(sorted(networks))
        self.router.until(f"[ \"$(ip -o -6 address show dev {interface} | awk '$4 ~ /^2/ {{ print $4 }}' | sort | xargs)\""
                          f" = '{wanted}' ]", timeout=40)

    def name_of(self, mac):
        return self.router.run(f"grep -l {mac} /sys/class/net/*/address").split("/")[4]

    def prefix_of(self, name):
        """The delegated prefix of the card that has the name now."""
        number = [self.name_of(mac) for mac in CARDS].index(name)
        return self.servers[number].prefix

    # Prefixes

    def test_each_association_has_a_number_of_its_own(self):
        seen = [identity for server in self.servers for identity in server.identities]
        self.assertEqual(len(seen), 2, seen)
        self.assertEqual(seen[0][0], seen[1][0])
        self.assertNotEqual(seen[0][1], seen[1][1])

    def test_clients_are_told_of_both(self):
        self.client.addresses.add("fe80" + CLIENT_ID)
        self.client.send(0x86dd, icmp6("fe80" + CLIENT_ID, "ff02::2", 133, b"\0" * 4), "33:33:00:00:00:02")
        for server in self.servers:
            prefix = ipaddress.IPv6Network((server.prefix.network_address, 64)).network_address
            self.assertIsNotNone(self.client.await_frame(
                lambda f: f[12:14] == b"\x86\xdd" and f[54] == 134 and prefix.packed in f, 30))

    def arrives_as(self, source):
        """Whose ping it is to the far machine that the client sends from the address."""
        self.client.addresses.add(source)
        capture = self.far.capture("icmp6")
        self.assertTrue(self.client.pings(source, FAR_ADDRESS6, 10))
        capture.wait_for("echo request")
        line = next(line for line in capture.stop() if "echo request" in line)
        return ipaddress.IPv6Address(line.split(" > ")[0].split()[-1])

    def test_who_has_an_address_of_the_card_it_leaves_by_keeps_it_and_others_get_the_cards(self):
        out = self.router.run(f"ip -6 route get {FAR_ADDRESS6}").split(" dev ")[1].split()[0]
        for server in self.servers:
            source = ipaddress.IPv6Address(str(server.prefix.network_address)[:-2] + CLIENT_ID)
            seen = self.arrives_as(str(source))
            if server.prefix == self.prefix_of(out):
                self.assertEqual(seen, source)
            else:
                self.assertIn(str(seen), self.router.run(f"ip -6 address show dev {out}"))

    # Coming and going

    def test_a_cards_prefix_goes_with_its_cable_and_the_others_stays(self):
        self.router.qmp("set_link", name="card1", up=False)
        self.addCleanup(self.router.qmp, "set_link", name="card1", up=True)
        self.await_networks("clients0", ["2001:db8:a:40::1/64"])

    def test_a_cards_prefix_goes_with_it_and_comes_with_it(self):
        self.router.unplug("card1")
        self.await_networks("clients0", ["2001:db8:a:40::1/64"])
        self.router.until(f"! grep -l {CARDS[1]} /sys/class/net/*/address")
        self.router.qmp("device_add", **card(1))
        self.await_networks("clients0", ["2001:db8:a:40::1/64", "2001:db8:b:7::1/64"])

    def test_a_client_side_that_comes_later_has_a_network_of_its_own(self):
        self.router.qmp("device_add", **client_side(1))
        self.await_networks("clients1", ["2001:db8:a:41::1/64"])

    def test_a_new_prefix_takes_the_olds_place(self):
        server = self.servers[0]
        old, server.prefix = server.prefix, ipaddress.IPv6Network("2001:db8:c::/56")
        self.await_networks("clients0", ["2001:db8:c::1/64", "2001:db8:b:7::1/64"])
        server.prefix = old
        self.await_networks("clients0", ["2001:db8:a:40::1/64", "2001:db8:b:7::1/64"])


if __name__ == "__main__":
    unittest.main()
