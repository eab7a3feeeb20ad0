#!/usr/bin/env python3
"""bind --persist over reboots of the play host, with udev as at a real boot."""

from playhost import sandbox

sandbox.enter()

import unittest

from vfio_case import FAR_NIC, SHARED, VfioCase


class Persist(VfioCase):
    MACHINE_OPTIONS = {"keep_files": True}

    def cold_plug(self):
        """What an init does about devices: udev, and an event for each that is there."""
        self.host.shell("/lib/systemd/systemd-udevd --daemon\n"
                        "udevadm trigger --action=add --subsystem-match=pci "
                        "--subsystem-match=vfio\n"
                        "udevadm settle --timeout=120", timeout=150)

    def kernel_log_of(self, address: str) -> list[str]:
        return [line for line in self.host.run("dmesg").out.splitlines()
                if f"e1000e {address}" in line]

    def test_holds_from_the_next_boot_on_until_it_is_restored(self):
        self.host.run("modprobe", "e1000e")
        self.vfio("bind", FAR_NIC, "--persist", "--user", "nobody", "--group", "daemon")
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")

        # Worst case: the module is loaded, for other cards of the kind, before udev looks.
        self.host.reboot()
        self.host.run("modprobe", "e1000e")
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")
        self.cold_plug()
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")
        self.assertEqual([self.driver(address) for address in SHARED], ["e1000e"] * 2)
        self.assertEqual(self.kernel_log_of(FAR_NIC), [])
        group = self.nic(FAR_NIC)["iommu_group"]
        owner = self.host.run("stat", "-c", "%U %G %a", f"/dev/vfio/{group}").out.strip()
        self.assertEqual(owner, "nobody daemon 660")
        self.vfio("restore", FAR_NIC)
        self.assert_as_before(FAR_NIC)
        self.host.shell("! ls /etc/udev/rules.d/*vfio-setup* /etc/modprobe.d/*vfio-setup*")
        self.assertTrue(self.lease())

        self.host.reboot()
        self.cold_plug()
        self.assert_as_before(FAR_NIC)

    def rewrite_record(self, old: str, new: str):
        """What the next boot is to take for what was recorded."""
        self.host.run("sed", "-i", f"s/{old}/{new}/g", "/var/lib/vfio-setup/state.json",
                      "/etc/udev/rules.d/70-vfio-setup.rules", "/etc/modprobe.d/vfio-setup.conf")

    def test_card_is_known_by_its_serial_number_and_a_stranger_is_left_alone(self):
        self.host.run("modprobe", "e1000e")
        self.vfio("bind", FAR_NIC, "--persist", "--user", "nobody")
        serial = self.bindings()[0]["devices"][0]["serial"]
        self.assertRegex(serial, "^([0-9a-f]{2}-){7}[0-9a-f]{2}$")

        # As if it had been where another card of its kind is now.
        self.rewrite_record(FAR_NIC, SHARED[0])
        self.host.reboot()
        self.cold_plug()
        self.assertEqual([self.driver(address) for address in (FAR_NIC, *SHARED)],
                         ["vfio-pci", "e1000e", "e1000e"])
        group = self.nic(FAR_NIC)["iommu_group"]
        owner = self.host.run("stat", "-c", "%U", f"/dev/vfio/{group}").out.strip()
        self.assertEqual(owner, "nobody")
        self.assertIn(f"is at {FAR_NIC} now", self.host.run("dmesg").out)
        self.assertIn(f"bind {FAR_NIC}", self.vfio("bind", SHARED[0], "--force", status=1).err)

        # As if it were gone, and a card of its kind in its place.
        self.rewrite_record(serial, "00-00-00-00-00-00-00-01")
        self.host.reboot()
        self.cold_plug()
        self.assertEqual([self.driver(address) for address in (FAR_NIC, *SHARED)], ["e1000e"] * 3)
        self.assertIn("nothing is bound for it", self.host.run("dmesg").out)
        self.assertIn("on record is 00-00", self.vfio("restore", SHARED[0]).err)
        self.assert_as_before(FAR_NIC, *SHARED)
        self.host.shell("! ls /etc/udev/rules.d/*vfio-setup* /etc/modprobe.d/*vfio-setup*")


if __name__ == "__main__":
    unittest.main()
