#!/usr/bin/env python3
"""The demo on a host that can pass its NIC: demo.py inside a play host, which is that host to it."""

import os
import pathlib
import sys
import unittest

from host_case import CACHE, FarCase
from playhost import Nic, sandbox
from playhost.far_network import FAR_NAME
from scenario import NIC, NIC_MAC, Scenario

sandbox.enter()

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
WITHIN = 500  # seconds; a minute and a half on an idle machine


class DemoHere(FarCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boot([Nic("pcie.0/4.0", NIC_MAC, "tap0")], memory=3072, runs_vms=True)
        Scenario(cls.host, cls.far, BUILD, IMAGES).prepare()
        cls.host.run("modprobe", "e1000e")

    def demo(self):
        return ("python3", "-B", HERE / "demo.py", BUILD, IMAGES, CACHE, "--far", FAR_NAME)

    def assert_nic_is_back(self):
        driver = self.host.run("readlink", f"/sys/bus/pci/devices/{NIC}/driver").out
        self.assertTrue(driver.strip().endswith("e1000e"), driver)
        self.host.shell("! ps -eo args | grep '[q]emu-system'")

    def test_demo_here(self):
        demo = self.host.run(*self.demo(), timeout=WITHIN, check=False)
        print(demo.out, demo.err, sep="\n")
        self.assertEqual(demo.status, 0)
        for said in (f"vfio-setup bind {NIC} --confirm-within", "stays with vfio-pci",
                     f"pings {FAR_NAME}", "All of it worked"):
            self.assertIn(said, demo.out)
        self.assertNotIn("play host", demo.out)
        self.assert_nic_is_back()

    def test_end_of_its_terminal_gives_the_nic_back(self):
        demo = self.host.spawn(*self.demo(), log="/tmp/demo.log")
        self.host.until("ps -eo args | grep '[q]emu-system'", timeout=WITHIN)
        self.assertNotIn("e1000e", self.host.run("readlink", f"/sys/bus/pci/devices/{NIC}/driver").out)
        self.host.run("kill", "-HUP", demo)
        self.assertNotIn(self.host.wait(demo, WITHIN), (None, 0))
        self.assert_nic_is_back()


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
