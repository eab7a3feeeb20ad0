#!/usr/bin/env python3
"""vfio-setup on a host whose kernel leaves the IOMMU off."""

from playhost import sandbox

sandbox.enter()

import json
import unittest

from vfio_case import FAR_NIC, VfioCase


class NoIommu(VfioCase):
    MACHINE_OPTIONS = {"command_line": "intel_iommu=off"}

    def test_check_names_the_kernel_option(self):
        findings = {f["subject"]: f for f in json.loads(self.vfio("check", "--json", status=1).out)}
        self.assertEqual(findings["IOMMU"]["grade"], "failure")
        self.assertIn("intel_iommu=on", findings["IOMMU"]["remedy"])

    def test_no_nic_can_be_passed(self):
        verdict = self.nic(FAR_NIC)["verdict"]
        self.assertFalse(verdict["can_be_passed"])
        self.assertIn("no IOMMU group", verdict["impossible"][0])

    def test_bind_is_refused_and_changes_nothing(self):
        self.host.run("modprobe", "e1000e")
        result = self.vfio("bind", FAR_NIC, "--force", status=1)
        self.assertIn("no IOMMU group", result.err)
        self.assert_as_before(FAR_NIC)


if __name__ == "__main__":
    unittest.main()
