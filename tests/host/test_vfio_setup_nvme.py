#!/usr/bin/env python3
"""vfio-setup and NVMe controllers on a host with an IOMMU: one with virtual functions, and two that
lead to the same disk.

For virtual functions, too, since Debian 12's QEMU gives them to no other card. The driver leaves them
where they are when it goes, and vfio-pci takes no function that has any.
"""

from playhost import sandbox

sandbox.enter()

import pathlib
import unittest

from playhost import machine
from vfio_case import VfioCase

CARD = "0000:03:00.0"
FUNCTIONS = ["0000:03:00.1", "0000:03:00.2"]
NUMBER = f"/sys/bus/pci/devices/{CARD}/sriov_numvfs"
RESOURCES = "sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=7"

PATHS = ["0000:00:09.0", "0000:00:0a.0"]
MOUNTED = "/mnt/disk"
IMAGE = pathlib.Path(sandbox.DIRECTORY, "disk")


class Nvme(VfioCase):
    MORE_DEVICES = [
        "-device", f"pcie-root-port,id=sriov,chassis=9,{machine.at('pcie.0/8.0')}",
        "-device", "nvme-subsys,id=functions",
        "-device", f"nvme,serial=functions,subsys=functions,{RESOURCES},bus=sriov",
        "-device", "nvme-subsys,id=paths",
        "-device", f"nvme,serial=paths,subsys=paths,{machine.at('pcie.0/9.0')}",
        "-device", f"nvme,serial=paths,subsys=paths,id=second,{machine.at('pcie.0/a.0')}",
        "-blockdev", f"driver=file,node-name=disk,filename={IMAGE}",
        "-device", "nvme-ns,drive=disk,bus=second,shared=on"]

    @classmethod
    def setUpClass(cls):
        with IMAGE.open("wb") as file:
            file.truncate(32 << 20)
        super().setUpClass()
        cls.host.run("modprobe", "nvme")

    def number(self):
        return self.host.read(NUMBER).strip()

    def make_functions(self):
        self.host.until(f"[ $(basename $(readlink /sys/bus/pci/devices/{CARD}/driver)) = nvme ]")
        self.host.shell(f"echo 0 > {NUMBER}; echo 2 > {NUMBER}")

    def test_list_names_virtual_functions(self):
        self.make_functions()
        card = self.nic(CARD)
        self.assertEqual(card["virtual_functions"], FUNCTIONS)
        self.assertTrue(card["verdict"]["can_be_passed"], card)
        self.assertIn("2 virtual functions go until it is given back", str(card["verdict"]))

    def test_card_with_functions_is_passed_and_has_them_again(self):
        self.make_functions()
        self.vfio("bind", CARD)
        self.assertEqual((self.driver(CARD), self.number()), ("vfio-pci", "0"))
        self.vfio("restore", CARD)
        self.assertEqual((self.driver(CARD), self.number()), ("nvme", "2"))
        self.assertEqual(self.nic(CARD)["virtual_functions"], FUNCTIONS)

    def test_function_that_a_vm_may_have_keeps_the_card(self):
        self.make_functions()
        self.vfio("bind", FUNCTIONS[0])
        self.addCleanup(self.vfio, "restore", "--all")
        result = self.vfio("bind", CARD, status=1)
        self.assertIn(f"{FUNCTIONS[0]}: is a virtual function of {CARD} that a VM may have",
                      result.err)
        self.assertEqual((self.driver(CARD), self.number()), ("nvme", "2"))

    def test_disk_that_is_mounted_is_use_of_each_way_to_it(self):
        # Where the kernel joins the ways, the disk's own device is below neither controller.
        self.host.until("grep -q '^paths' /sys/block/nvme[0-9]n1/device/serial")
        link = self.host.shell("grep -l '^paths' /sys/block/nvme[0-9]n1/device/serial").out.split()[0]
        disk = pathlib.Path(link).parts[3]
        for controller in PATHS:
            self.assertTrue(self.nic(controller)["verdict"]["can_be_passed"], controller)
        self.host.shell(f"modprobe ext4; mkdir -p {MOUNTED}; mke2fs -q /dev/{disk}; "
                        f"mount /dev/{disk} {MOUNTED}")
        self.addCleanup(self.host.run, "umount", MOUNTED)
        for controller in PATHS:
            self.assertIn(MOUNTED, self.vfio("bind", controller, status=1).err)
            self.assertEqual(self.driver(controller), "nvme")


if __name__ == "__main__":
    unittest.main()
