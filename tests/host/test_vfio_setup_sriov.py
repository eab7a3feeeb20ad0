#!/usr/bin/env python3
"""vfio-setup and virtual functions: a card with SR-IOV on a host with an IOMMU.

The card is an NVMe controller without a disk, the one kind that Debian 12's QEMU gives virtual
functions. Its driver leaves them where they are when it goes, and vfio-pci takes no function that has
any.
"""

from playhost import sandbox

sandbox.enter()

import unittest

from playhost import machine
from vfio_case import VfioCase

CARD = "0000:03:00.0"
FUNCTIONS = ["0000:03:00.1", "0000:03:00.2"]
NUMBER = f"/sys/bus/pci/devices/{CARD}/sriov_numvfs"
RESOURCES = "sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=7"


class Sriov(VfioCase):
    MORE_DEVICES = ["-device", f"pcie-root-port,id=sriov,chassis=9,{machine.at('pcie.0/8.0')}",
                    "-device", "nvme-subsys,id=subsystem",
                    "-device", f"nvme,serial=sriov,subsys=subsystem,{RESOURCES},bus=sriov"]

    def setUp(self):
        self.host.run("modprobe", "nvme")
        self.host.until(f"[ $(basename $(readlink /sys/bus/pci/devices/{CARD}/driver)) = nvme ]")
        self.host.shell(f"echo 0 > {NUMBER}; echo 2 > {NUMBER}")

    def number(self):
        return self.host.read(NUMBER).strip()

    def test_list(self):
        card = self.nic(CARD)
        self.assertEqual(card["virtual_functions"], FUNCTIONS)
        self.assertTrue(card["verdict"]["can_be_passed"], card)
        self.assertIn("2 virtual functions go until it is given back", str(card["verdict"]))

    def test_card_with_functions_is_passed_and_has_them_again(self):
        self.vfio("bind", CARD)
        self.assertEqual((self.driver(CARD), self.number()), ("vfio-pci", "0"))
        self.vfio("restore", CARD)
        self.assertEqual((self.driver(CARD), self.number()), ("nvme", "2"))
        self.assertEqual(self.nic(CARD)["virtual_functions"], FUNCTIONS)

    def test_function_that_a_vm_may_have_keeps_the_card(self):
        self.vfio("bind", FUNCTIONS[0])
        self.addCleanup(self.vfio, "restore", "--all")
        result = self.vfio("bind", CARD, status=1)
        self.assertIn(f"{FUNCTIONS[0]}: is a virtual function of {CARD} that a VM may have",
                      result.err)
        self.assertEqual((self.driver(CARD), self.number()), ("nvme", "2"))


if __name__ == "__main__":
    unittest.main()
