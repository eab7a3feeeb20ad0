#!/usr/bin/env python3
"""An interface and a NIC come to a running VM and go again, by the launcher's commands, on a host
with an IOMMU and KVM. test_hotplug.py VMM

cloud-hypervisor is in no package of Debian: without one on PATH its run is skipped, with status 77.
"""

import json
import os
import pathlib
import unittest

from host_case import FarCase, vmm_to_test
from playhost import Nic, sandbox
from playhost.far_network import FAR_ADDRESS
from scenario import NIC, NIC_MAC, Scenario

VMM = vmm_to_test()

sandbox.enter()

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
DEVICE_ID = "pci-0000-00-04.0"
SEEN_WITHIN = 120  # seconds; it takes one on an idle machine


class Hotplug(FarCase):
    """One VM, a router that starts without a NIC."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boot([Nic("pcie.0/4.0", NIC_MAC, "tap0")], memory=2048, runs_vms=True)
        cls.story = Scenario(cls.host, cls.far, BUILD, IMAGES, vmm=VMM, nic=None,
                             say=lambda text: print(text, flush=True))
        cls.story.prepare()
        cls.host.run("modprobe", "e1000e")

    def test_interface_and_nic_come_and_go(self):
        self.story.up(apps=())
        try:
            for _ in range(2):
                self.interface_comes_and_goes()
                self.nic_comes()
                self.nic_goes()
            self.refusals()
            self.nic_comes()
            self.story.down()
        except BaseException:
            print(self.story.logs(), flush=True)
            raise
        self.assertEqual(self.driver(), "e1000e")

    def ports(self):
        control = self.story.state / "switch/default/control.sock"
        listed = self.host.run(BUILD / "switchd/switchctl/switchctl", "--socket", control, "--json",
                               "port", "list").out
        return {port["name"]: port["state"] for port in json.loads(listed)["ports"]}

    def driver(self):
        link = self.host.run("readlink", f"/sys/bus/pci/devices/{NIC}/driver", check=False)
        return pathlib.Path(link.out.strip()).name

    def interface_comes_and_goes(self):
        name = self.story.launch("add-net", "router", "--isolated", "--mtu", "1400",
                                 timeout=60).out.split()[-1]
        self.assertEqual(name, "net1")
        mac = self.story.macs("router")[1]
        self.story.until_in_guest("router", f"grep -qix {mac} /sys/class/net/clients1/address",
                                  SEEN_WITHIN)
        self.assertEqual(self.story.in_guest("router", "cat /sys/class/net/clients1/mtu"), "1400")
        self.assertEqual(self.ports()["router.net1"], "attached")
        self.story.say(f"net1 is the guest's clients1, {mac}, MTU 1400, and attached to the switch")
        self.story.launch("remove-device", "router", name, timeout=120)
        self.story.until_in_guest("router", "[ ! -e /sys/class/net/clients1 ]", SEEN_WITHIN)
        self.assertEqual(list(self.ports()), ["router.net0"])
        self.story.say("net1 was removed, and its port with it")

    def nic_comes(self):
        self.assertEqual(self.driver(), "e1000e")
        name = self.story.launch("add-device", "router", NIC, timeout=120).out.split()[-1]
        self.assertEqual(name, DEVICE_ID)
        self.assertEqual(self.driver(), "vfio-pci")
        self.story.until_in_guest("router", f"ping -c 1 -W 2 {FAR_ADDRESS} >/dev/null", SEEN_WITHIN)
        self.assertIn(NIC_MAC, self.far.leases())
        self.story.say("the NIC was taken from the host; the router reaches the far machine by it")

    def nic_goes(self):
        self.story.launch("remove-device", "router", DEVICE_ID, timeout=120)
        self.story.until_in_guest("router", "[ ! -e /sys/class/net/wan0 ]", SEEN_WITHIN)
        self.assertEqual(self.driver(), "e1000e")
        self.story.say("the NIC went back to the host's own driver")

    def refusals(self):
        def refused(*words):
            result = self.story.launch(*words, check=False, timeout=60)
            self.assertEqual(result.status, 1, result)
            return result.err
        self.assertIn("there is no PCI device 0000:7f:00.0; `vfio-setup list`",
                      refused("add-device", "router", "0000:7f:00.0"))
        # Nothing that can be passed: it is in the same group as what the host lives from.
        self.assertIn("`vfio-setup bind 0000:00:00.0", refused("add-device", "router", "0000:00:00.0"))
        self.assertIn("router", refused("remove-device", "router", "pci-0000-7f-00.0"))
        self.assertEqual(self.driver(), "e1000e")
        self.story.say("what cannot be is told, and nothing changes")


if __name__ == "__main__":
    unittest.main()
