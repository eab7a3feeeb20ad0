"""The launcher, the real switch and real QEMU guests, which obey the power button."""

import os
import signal
import sys
import unittest
from pathlib import Path

from lab import Lab

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vmm/live"))
from image import image as guest_image  # noqa: E402

QUICK = "console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off rdinit=/init"
FIRST = "10.77.0.1"


def first(image, within=150):
    """What the others depend on: up when its address answers."""
    return vm("vm1", image, "eth0=10.77.0.1/24", f'address = "{FIRST}"', within)


def client(number, image, within=150, more=""):
    """Up when it has reached the first."""
    return vm(f"vm{number}", image, f"eth0=10.77.0.{number}/24 ping={FIRST}",
              f'console_line = "guest: reached {FIRST}"', within,
              'depends = ["vm1"]\nnet = { isolated = true }\n' + more)


def vm(name, image, arguments, ready, within, more=""):
    return f"""[[vm]]
name = "{name}"
vmm = "qemu"
kernel = "{image.kernel}"
initramfs = "{image.initramfs}"
command_line = "{QUICK} -- {arguments}"
memory = "128M"
power_button_grace = "60s"
ready = {{ {ready}, within = "{within}s" }}
{more}
"""


class Guests(unittest.TestCase):
    def setUp(self):
        image = guest_image(os.environ["SWITCHD_GUEST_IMAGE"]).build()
        self.lab = Lab(os.environ["LAUNCHER"])
        self.addCleanup(self.lab.close)
        self.lab.up(first(image) + client(2, image) + client(3, image), wait=False)

    def test_three_guests_up_and_down_by_interrupt(self):
        self.lab.wait_line("everything is up", 250)
        states = [one["state"] for one in self.lab.status()["vms"]]
        self.assertEqual(states, ["running"] * 3)
        self.assertEqual(self.lab.interrupt(signal.SIGINT), 0, self.lab.said())
        self.assertFalse(self.lab.state.exists())
        for word in ("killed", "by force"):
            self.assertNotIn(word, self.lab.said())


if __name__ == "__main__":
    unittest.main()
