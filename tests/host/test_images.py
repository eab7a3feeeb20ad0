#!/usr/bin/env python3
"""The guest images as a network: a router between the far network and clients, under switchd.

No play host: three guests under emulation, here. What needs VFIO and KVM is test_scenario.py.
"""

from playhost import sandbox

sandbox.enter()

import json
import time
import unittest

from host_case import FarCase
from image_guest import ImageGuest, Switch
from playhost.far_network import FAR_ADDRESS, FAR_ADDRESS6, FAR_NAME

PORT = 5001
ROUTER_MAC = "02:00:00:00:00:01"
MACS = {"a": "02:00:00:00:0a:02", "b": "02:00:00:00:0b:03", "c": "02:00:00:00:0c:04"}
ADDRESSES = {"a": "10.64.10.2", "b": "10.64.11.3"}  # c is not listed
CONFIG = {
    "segments": [{"mac": ROUTER_MAC, "network": "10.64.0.0/16"}],
    "clients": [{"name": name, "mac": MACS[name], "address": ADDRESSES[name]} for name in "ab"],
    "forward": ["tcp/8022 -> a:22"],
}


class Images(FarCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.far.serve_tcp(PORT)
        cls.switch = Switch(cls.directory, {"router": False, "a": True, "b": True, "c": True})
        cls.addClassCleanup(cls.switch.process.kill)
        cls.router = cls.guest("router", "router", [
            "-device", "pcie-root-port,id=behind,slot=1",
            "-netdev", "tap,id=wan,ifname=tap0,script=no,downscript=no",
            "-device", "e1000e,netdev=wan,mac=52:54:00:00:00:04,romfile=,id=card,bus=behind",
            *cls.switch.device("router", ROUTER_MAC)], memory=192,
            files={"etc/router.json": json.dumps(CONFIG).encode()})
        cls.a, cls.b, cls.c = (cls.guest(name, "app", cls.switch.device(name, MACS[name]))
                               for name in "abc")
        start = time.monotonic()
        for guest in (cls.router, cls.a, cls.b, cls.c):
            guest.wait_ready()
            print(f"{guest.name} is ready after {time.monotonic() - start:.1f} s", flush=True)

    @classmethod
    def guest(cls, *words, **options):
        guest = ImageGuest(words[0], words[1], cls.directory, words[2], **options).start()
        cls.addClassCleanup(guest.kill)
        return guest

    def far_address_of_router(self):
        return self.far.leases()["52:54:00:00:00:04"]

    def address(self, guest, family=4):
        shown = guest.run(f"ip -o -{family} address show dev eth0 scope global")
        return shown.split()[3].split("/")[0]

    def send(self, guest, target, size):
        """Sends so many random bytes to the far machine; what it says came, and what was sent."""
        guest.run(f"head -c {size} /dev/urandom >/tmp/data", timeout=120)
        answer = guest.run(f"nc {target} {PORT} </tmp/data", timeout=180)
        digest = guest.run("sha256sum </tmp/data", timeout=60).split()[0]
        return answer.split(), [str(size), digest]

    # Reaching the world

    def test_clients_get_the_addresses_of_their_macs(self):
        self.assertEqual(self.address(self.a), ADDRESSES["a"])
        self.assertEqual(self.address(self.b), ADDRESSES["b"])
        self.assertTrue(self.address(self.c).startswith("10.64."))
        self.assertTrue(self.address(self.a, 6).endswith("::ff:fe00:a02"), self.address(self.a, 6))

    def test_names_pings_and_files_go_to_the_far_machine(self):
        capture = self.far.capture("icmp or icmp6")
        self.assertIn(FAR_ADDRESS, self.a.run(f"nslookup {FAR_NAME}"))
        self.a.run(f"ping -4 -c 3 -W 5 {FAR_NAME}")
        self.a.run(f"ping -6 -c 3 -W 5 {FAR_ADDRESS6}")
        capture.wait_for(f"{self.far_address_of_router()} > {FAR_ADDRESS}: ICMP echo request")
        lines = "\n".join(capture.stop())
        self.assertNotIn("10.64.", lines)
        self.assertNotIn(self.address(self.a, 6), lines)
        for target in (FAR_ADDRESS, FAR_ADDRESS6):
            arrived, sent = self.send(self.a, target, 1_000_000)
            self.assertEqual(arrived, sent, target)

    def test_clients_have_names(self):
        self.assertIn(ADDRESSES["b"], self.a.run("nslookup b.internal"))
        self.assertIn("10.64.0.1", self.a.run("nslookup router.internal"))
        self.assertNotIn("Name:", self.a.run("nslookup c.internal", check=False))

    def test_inbound_port_reaches_its_client_and_no_other_does(self):
        self.a.run("(echo hello | nc -l -p 22 >/tmp/got) >/dev/null 2>&1 &")
        self.a.until("netstat -ltn | grep -q ':22 '")
        answer = self.far.run("timeout", "10", "bash", "-c",
                              f"exec 3<>/dev/tcp/{self.far_address_of_router()}/8022; "
                              "echo there >&3; head -1 <&3", timeout=20)
        self.assertEqual(answer.stdout, "hello\n", answer.stderr)
        refused = self.far.run("timeout", "3", "bash", "-c",
                               f"exec 3<>/dev/tcp/{self.far_address_of_router()}/53")
        self.assertNotEqual(refused.returncode, 0)

    # Isolation

    def heard(self, attack):
        """How many ICMP messages, IPv6 echo requests and datagrams came to b meanwhile. Its DHCP
        client sleeps: the router answers renewals, and then pings the address that a name gets."""
        self.b.run("killall -STOP dhcpcd")
        self.addCleanup(self.b.run, "killall -CONT dhcpcd")
        count = "awk '/^Icmp: [0-9]/ { print $2 }' /proc/net/snmp; " \
                "awk '/^Icmp6InEchos / { print $2 }' /proc/net/snmp6; " \
                "awk '/^Udp: [0-9]/ { print $2 + $3 }' /proc/net/snmp"
        before = self.b.run(count).split()
        attack()
        after = self.b.run(count).split()
        return [int(y) - int(x) for x, y in zip(before, after)]

    def test_no_client_reaches_another_not_even_through_the_router(self):
        router = self.a.run("ip neighbour show 10.64.0.1 | awk '{ print $5 }'") or ROUTER_MAC
        self.assertEqual(router, ROUTER_MAC)
        six = self.address(self.b, 6)

        def attack():
            self.a.run(f"ping -c 2 -W 1 {ADDRESSES['b']}", check=False)
            self.a.run(f"ip neighbour replace {ADDRESSES['b']} lladdr {ROUTER_MAC} dev eth0")
            self.a.run(f"ip neighbour replace {six} lladdr {ROUTER_MAC} dev eth0")
            for words in (f"ping -c 2 -W 1 {ADDRESSES['b']}", f"ping -6 -c 2 -W 1 {six}",
                          f"echo x | nc -w 2 {ADDRESSES['b']} 7", f"traceroute -n -w 1 -q 1 -m 3 {ADDRESSES['b']}"):
                self.assertNotIn("bytes from", self.a.run(words, check=False))
            self.a.run(f"ip neighbour del {ADDRESSES['b']} dev eth0; ip neighbour del {six} dev eth0")
        self.assertEqual(self.heard(attack), [0, 0, 0])

    def test_a_client_cannot_take_anothers_address(self):
        self.a.run(f"ip address add {ADDRESSES['b']}/16 dev eth0; "
                   f"ping -c 2 -W 1 -I {ADDRESSES['b']} 10.64.0.1", check=False)
        self.addCleanup(self.a.run, f"ip address del {ADDRESSES['b']}/16 dev eth0", check=False)
        shown = self.router.run(f"ip neighbour show {ADDRESSES['b']}")
        self.assertNotIn(MACS["a"], shown)
        self.b.run(f"ping -c 1 -W 5 {FAR_ADDRESS}")

    # Going and coming

    def traces(self, address):
        return self.router.run(f"ip neighbour show | grep -F '{address} '; "
                               f"grep -F ' {address} ' /run/dnsmasq.leases; "
                               f"conntrack -L 2>/dev/null | grep -F '={address} '", check=False)

    def test_nothing_is_left_of_a_client_that_is_gone_and_it_comes_back_as_it_was(self):
        old = self.address(self.c)
        six = self.address(self.c, 6)
        self.c.run(f"ping -c 1 -W 5 {FAR_ADDRESS}; ping -6 -c 1 -W 5 {FAR_ADDRESS6}")
        self.assertIn("lladdr", self.traces(old))
        self.c.kill()
        deadline = time.monotonic() + 60
        while self.traces(old) or self.traces(six):
            self.assertLess(time.monotonic(), deadline, self.traces(old) + self.traces(six))
        self.c.start().wait_ready()
        self.assertEqual(self.address(self.c), old)

    def test_router_killed_and_back_clients_keep_their_addresses(self):
        before = [self.address(guest) for guest in (self.a, self.b, self.c)]
        self.router.kill()
        self.router.start().wait_ready()
        for guest in (self.a, self.b, self.c):
            guest.until(f"ping -c 1 -W 2 {FAR_ADDRESS}")
            guest.until(f"ping -6 -c 1 -W 2 {FAR_ADDRESS6}")
        self.assertEqual([self.address(guest) for guest in (self.a, self.b, self.c)], before)

    def test_card_unplugged_and_plugged_again(self):
        self.router.unplug("card")
        self.router.until("! ls -d /sys/class/net/wan0")
        self.router.qmp("device_add", driver="e1000e", id="card", netdev="wan", bus="behind",
                        mac="52:54:00:00:00:04", romfile="")
        self.router.until("ip -4 address show dev wan0 | grep inet", timeout=90)
        self.a.until(f"ping -c 1 -W 2 {FAR_ADDRESS}")

    def test_services_come_back_when_they_die(self):
        self.router.run("kill -9 $(pidof dnsmasq)")
        self.a.until("nslookup router.internal")

    def test_zz_power_button_ends_each_guest(self):
        for guest in (self.c, self.b, self.a, self.router):
            start = time.monotonic()
            guest.power_button()
            print(f"{guest.name} is off after {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    unittest.main()
