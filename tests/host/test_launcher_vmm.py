#!/usr/bin/env python3
"""launcher/vmm's drivers on a host with KVM: real guests, ordinary users. test_launcher_vmm.py VMM

What runs in the play host is tests/launcher/vmm/live; its output is shown. cloud-hypervisor is in
no package of Debian: without one on PATH its run is skipped, with status 77.
"""

import os
import pathlib
import shutil
import unittest

from host_case import CACHE, vmm_to_test
from playhost import Machine, machine, sandbox
from scenario import PROGRAMS

VMM = vmm_to_test()
PROGRAM = shutil.which(PROGRAMS[VMM])

sandbox.enter()

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
LIVE = HERE.parent / "launcher/vmm/live"
ENVIRONMENT = {
    "LAUNCHER_VMM": VMM, "LAUNCHER_VMM_PROGRAM": PROGRAM, "LAUNCHER_VMM_PATIENCE": "150",
    "VMM_DRIVE": str(BUILD / "tests/launcher/vmm/vmm_drive"),
    "SWITCHD": str(BUILD / "switchd/switchd"),
    "SWITCHCTL": str(BUILD / "switchd/switchctl/switchctl"),
    "SWITCHD_GUEST_IMAGE": os.environ["SWITCHD_GUEST_IMAGE"], "PYTHONDONTWRITEBYTECODE": "1"}


class LauncherVmm(unittest.TestCase):
    def test_drives_real_guests(self):
        with machine.temporary_directory() as name, \
                Machine(pathlib.Path(name), CACHE, [], memory=3072, runs_vms=True) as host:
            host.run("modprobe", "kvm-amd")
            host.run("chmod", "666", "/dev/kvm")
            result = host.run("python3", "-m", "unittest", "discover", "--verbose", "--start-directory",
                              LIVE, check=False, timeout=540, env=ENVIRONMENT)
            print(result.out, result.err, sep="\n")
            self.assertEqual(result.status, 0)
            self.assertFalse(result.timed_out)


if __name__ == "__main__":
    unittest.main()
