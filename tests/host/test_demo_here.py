#!/usr/bin/env python3
"""The demo on a host that can pass its NIC: demo.py inside a play host, which is that host to it."""

import os
import pathlib
import sys
import unittest

from playhost import FarNetwork, Machine, Nic, machine, sandbox
from playhost.far_network import FAR_NAME
from scenario import NIC, NIC_MAC, Scenario

sandbox.enter()

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ["PLAYHOST_CACHE"])
BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
WITHIN = 500  # seconds; a minute and a half on an idle machine


class DemoHere(unittest.TestCase):
    def test_demo_here(self):
        with machine.temporary_directory() as name:
            directory = pathlib.Path(name)
            far = FarNetwork(directory)
            self.addCleanup(far.close)
            nics = [Nic("pcie.0/4.0", NIC_MAC, "tap0")]
            with Machine(directory, CACHE, nics, memory=3072, runs_vms=True) as host:
                Scenario(host, far, BUILD, IMAGES).prepare()
                host.run("modprobe", "e1000e")
                demo = host.run("python3", "-B", HERE / "demo.py", BUILD, IMAGES, CACHE, "--far",
                                FAR_NAME, timeout=WITHIN, check=False)
                print(demo.out, demo.err, sep="\n")
                self.assertEqual(demo.status, 0)
                for said in (f"vfio-setup bind {NIC}", f"pings {FAR_NAME}", "All of it worked"):
                    self.assertIn(said, demo.out)
                self.assertNotIn("play host", demo.out)
                driver = host.run("readlink", f"/sys/bus/pci/devices/{NIC}/driver").out
                self.assertTrue(driver.strip().endswith("e1000e"), driver)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
