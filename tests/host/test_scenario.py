#!/usr/bin/env python3
"""The whole scenario on a host with an IOMMU, a NIC, KVM and a far network; nothing is faked but the
machine itself (playhost/__init__.py). test_scenario.py VMM

SCENARIO_CHURN is how often a client goes and comes. cloud-hypervisor is in no package of Debian:
without one on PATH its run is skipped, with status 77.
"""

import os
import pathlib
import re
import unittest

from host_case import FarCase, vmm_to_test
from playhost import Nic, sandbox
from playhost.far_network import FAR_ADDRESS, FAR_ADDRESS6
from scenario import NIC_MAC, SINK_PORT, Scenario

VMM = vmm_to_test()

sandbox.enter()

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
OWN_IMAGES = pathlib.Path("/tmp/images")  # in the play host
CHURN = int(os.environ.get("SCENARIO_CHURN", "1"))


class WholeScenario(FarCase):
    """One story: every test needs what the ones before it left, so they are steps of one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.far.serve_tcp(SINK_PORT)
        cls.boot([Nic("pcie.0/4.0", NIC_MAC, "tap0")], memory=3072, runs_vms=True)
        cls.story = Scenario(cls.host, cls.far, BUILD, OWN_IMAGES, vmm=VMM,
                             app_memory="128M", say=lambda text: print(text, flush=True))

    def test_scenario(self):
        story = self.story
        for step in (story.prepare, self.add_capture, story.take_nic, self.start, self.reach,
                     self.isolation, self.stop_and_start, self.churn, self.router_killed, self.end,
                     story.give_nic_back):
            try:
                step()
            except BaseException:
                print(story.logs(), flush=True)
                raise
        self.assertIn(NIC_MAC, self.far.leases())

    def start(self):
        self.before = self.story.loopback_counters()
        self.story.up()
        self.story.check_host_is_bare()
        self.story.check_users()
        self.story.check_strangers()

    def reach(self):
        for name in ("app1", "app2"):
            self.story.ping_far(name)
            self.story.send_far(name)
        self.assertEqual(self.story.loopback_counters(), self.before)
        self.story.check_host_is_bare()

    def add_capture(self):
        """Images for the play host, where the application's has tcpdump."""
        self.host.shell(f"""
            mkdir {OWN_IMAGES}
            cp -s {IMAGES}/*.vmlinuz {IMAGES}/router.initramfs {OWN_IMAGES}
            cd /
            files=$(ldd usr/bin/tcpdump | grep -o '/[^ ]*')
            cp {IMAGES}/app.initramfs {OWN_IMAGES}
            printf '%s\n' usr/bin/tcpdump $files | sed 's,^/,,' |
              cpio --quiet -o -L -H newc >>{OWN_IMAGES}/app.initramfs""")

    def attack(self):
        """app1 tries to reach app2: directly, and by the router's MAC."""
        story = self.story
        four, six = story.address("app2"), story.address("app2", 6)
        said = story.in_guest("app1", f"""
            for mac in {story.mac("app2")} {story.mac("router")}; do
              ip neighbour replace {four} lladdr $mac dev eth0
              ip neighbour replace {six} lladdr $mac dev eth0
              ip route replace {six}/128 dev eth0
              ping -c 2 -W 2 {four} & ping -6 -c 2 -W 2 {six} &
              echo x | nc -w 2 {four} 7 & traceroute -n -q 1 -w 1 -m 3 {four} &
              wait
            done
            ip neighbour del {four} dev eth0
            ip neighbour del {six} dev eth0
            ip route del {six}/128 dev eth0""", check=False)
        self.assertEqual(said.count("100% packet loss"), 4, said)

    def isolation(self):
        """A capture at the victim holds nothing of the other client, while it holds the router's."""
        story = self.story
        four = story.address("app2")
        story.in_guest("app2", "tcpdump -Z root -e -n -l --immediate-mode -i eth0 >/tmp/heard 2>/tmp/said &")
        story.until_in_guest("app2", "grep -q 'listening on' /tmp/said")
        self.attack()
        story.in_guest("router", f"ping -c 1 -W 5 {four}")
        story.until_in_guest("app2", f"grep -q '> {four}: ICMP echo request' /tmp/heard")
        heard = story.in_guest("app2", "killall tcpdump; cat /tmp/heard")
        for name in (story.mac("app1"), story.address("app1"), story.address("app1", 6)):
            self.assertNotRegex(heard, re.escape(name) + "(?![0-9a-f])")
        story.say("app1 cannot reach app2, nor by the router's MAC: a capture there shows nothing of it")

    def traces(self, address):
        return self.story.in_guest("router", f"ip neighbour show | grep -F '{address} '; "
                                   f"grep -F ' {address} ' /run/dnsmasq.leases; "
                                   f"conntrack -L 2>/dev/null | grep -F '={address} '", check=False)

    def stop_and_start(self):
        story = self.story
        address = story.address("app2")
        self.assertTrue(self.traces(address))
        story.launch("stop", "app2", timeout=90)
        story.until_in_guest("router", f"! ip neighbour show | grep -qF '{address} '", 60)
        self.assertEqual(self.traces(address), "")
        story.say(f"nothing is left of {address} on the router")
        story.launch("start", "app2", timeout=400)
        self.assertEqual(story.address("app2"), address)
        story.ping_far("app2")

    def churn(self):
        story = self.story
        before = {name: story.address(name) for name in ("app1", "app2")}
        for number in range(1, CHURN + 1):
            name = ("app1", "app2")[number % 2]
            story.launch("stop", name, timeout=90)
            story.launch("start", name, timeout=400)
            self.assertEqual(story.address(name), before[name])
            story.say(f"{name} went and came, {number} of {CHURN}; its address is {before[name]} again")
        for name in before:
            story.ping_far(name)

    def router_killed(self):
        story = self.story
        before = [story.address(name) for name in ("app1", "app2")]
        self.host.shell("kill -9 $(ps -eo pid,args | awk '/[q]emu-system|[c]loud-hypervisor/ && "
                        "/router/ { print $1 }')")
        story.say("the router's VMM was killed")
        for name in ("app1", "app2"):
            story.until_in_guest(name, f"ping -c 1 -W 2 {FAR_ADDRESS} >/dev/null", 400)
            story.until_in_guest(name, f"ping -6 -c 1 -W 2 {FAR_ADDRESS6} >/dev/null", 120)
        self.assertEqual([story.address(name) for name in ("app1", "app2")], before)
        story.say("it came back; both reach the far machine, with the same addresses")

    def end(self):
        self.story.check_host_is_bare()
        self.assertEqual(self.story.loopback_counters(), self.before)
        self.story.down()


if __name__ == "__main__":
    unittest.main()
