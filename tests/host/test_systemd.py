#!/usr/bin/env python3
"""The topology as a service of a host whose process 1 is systemd: installed, the NIC bound with
--persist, and from its next boot on, with no command given, the application VM reaches the far
machine.

The application VM's image has one more file, which pings by itself. After the reboot this test only
looks. What the machine that the test runs on has enabled is not started in the play host.
"""

from playhost import sandbox

sandbox.enter()

import os
import pathlib
import re
import unittest

from host_case import FarCase
from playhost import Nic
from playhost.far_network import FAR_ADDRESS, FAR_ADDRESS6, FAR_NAME
from scenario import NIC, NIC_MAC, UNWANTED_MODULES, Scenario, topology

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
OWN_IMAGES = "/var/lib/images"
NIC_DRIVER = "e1000e"
SERVICES = ("launcher@scenario.service", "switchd.service")
REACHED = "app1: the far machine answered"
REACHED_WITHIN = 900  # seconds; a tenth of it on an idle machine

# Run by the image's boot, before its services.
PING = f"""#!/bin/sh
until ping -4 -c 1 -W 5 {FAR_NAME} && ping -6 -c 1 -W 5 {FAR_ADDRESS6}; do
  usleep 500000
done >/dev/null 2>&1 && echo '{REACHED}' >/dev/console &
"""


class Systemd(FarCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boot([Nic("pcie.0/4.0", NIC_MAC, "tap0")], memory=3072, keep_files=True, systemd=True,
                 runs_vms=True)
        cls.story = Scenario(cls.host, cls.far, BUILD, IMAGES, say=cls.say)

    @staticmethod
    def say(text):
        print(text, flush=True)

    def test_reaches_the_far_machine_from_the_next_boot_on(self):
        self.install()
        self.make_images()
        self.configure()
        capture = self.far.capture("icmp or icmp6")
        self.say("The host reboots")
        self.host.reboot()
        try:
            self.wait_until_reached()
            self.check_capture(capture)
            self.check_host()
        except BaseException:
            self.say(self.logs())
            raise
        self.check_stop()

    def install(self):
        self.host.run("cmake", "--install", BUILD, "--prefix", "/usr", timeout=300)

    def make_images(self):
        """The project's own, the application's with a file behind it."""
        self.host.shell(f"mkdir -p {OWN_IMAGES} /tmp/more/etc; "
                        f"cp {IMAGES}/*.vmlinuz {IMAGES}/*.initramfs {OWN_IMAGES}")
        self.host.run("tee", "/tmp/more/etc/boot.ping", stdin=PING)
        self.host.shell("cd /tmp/more; chmod 755 etc/boot.ping; find etc | "
                        f"cpio --quiet -o -H newc >>{OWN_IMAGES}/app.initramfs")

    def configure(self):
        self.host.run("mkdir", "-p", "/etc/launcher")
        self.host.run("tee", "/etc/launcher/scenario.toml",
                      stdin=topology(OWN_IMAGES, "qemu", ("app1",)))
        self.say(self.host.run("vfio-setup", "bind", NIC, "--persist", timeout=120).out)
        self.host.run("systemctl", "enable", *SERVICES, timeout=120)

    # From here on nothing is done but looking.

    def wait_until_reached(self):
        console = f"{self.story.state}/log/app1.console"
        self.host.until(f"grep -q '{REACHED}' {console}", REACHED_WITHIN)
        self.host.until(f"systemctl is-active {' '.join(SERVICES)}", REACHED_WITHIN)
        self.say(self.host.run("journalctl", "-b", "-o", "cat", "-u", SERVICES[0]).out)
        said = self.host.read(console).replace("\r", "")
        self.own_addresses = re.search(r"^app1: addresses (.*)", said, re.MULTILINE)[1].split()
        self.say(f"{REACHED}, who has {' and '.join(self.own_addresses)}")

    def check_capture(self, capture):
        """Both pings came from the router's addresses."""
        router = self.story.router_address()
        for expected in (f"IP {router} > {FAR_ADDRESS}: ICMP echo request",
                         f"> {FAR_ADDRESS6}: ICMP6, echo request"):
            self.say(f"the far machine saw: {capture.wait_for(expected)}")
        seen = "\n".join(capture.stop())
        for address in self.own_addresses:
            self.assertNotIn(address.split("/")[0], seen)

    def nic_driver(self):
        link = self.host.run("readlink", f"/sys/bus/pci/devices/{NIC}/driver").out.strip()
        return pathlib.Path(link).name

    def check_host(self):
        self.assertEqual(self.nic_driver(), "vfio-pci")
        touched = [line for line in self.host.run("dmesg").out.splitlines()
                   if f"{NIC_DRIVER} {NIC}" in line]
        self.assertEqual(touched, [])
        # udev loads the driver's module for every card of the kind, and this one is kept from it.
        self.story.check_host_is_bare([name for name in UNWANTED_MODULES if name != NIC_DRIVER])
        self.story.check_users(vms=2)
        shown = self.host.run("systemctl", "show", "-P", "NRestarts", *SERVICES).out.split()
        self.assertEqual(shown, ["0"] * len(SERVICES))

    def check_stop(self):
        """Ended as a service is: nothing is left, and the NIC stays as it was bound."""
        self.host.run("systemctl", "stop", *SERVICES, timeout=300)
        shown = self.host.run("systemctl", "show", "-P", "Result", *SERVICES).out.split()
        self.assertEqual(shown, ["success"] * len(SERVICES))
        self.host.shell(f"! {{ ps -eo args | grep '[q]emu-system\\|[b]in/switchd'; }} && "
                        f"! ls {self.story.state}")
        self.assertEqual(self.nic_driver(), "vfio-pci")

    def logs(self):
        return self.host.shell(
            "systemctl --no-pager --failed; systemctl --no-pager list-jobs; "
            f"systemctl --no-pager -n 0 status {' '.join(SERVICES)}; "
            "journalctl -b --no-pager -n 200; "
            f"tail -n 40 {self.story.state}/log/* || true", check=False).out


if __name__ == "__main__":
    unittest.main()
