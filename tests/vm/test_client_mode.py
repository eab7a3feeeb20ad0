"""Ports in client mode: QEMU listens, and switchd goes to it, as often as it has to."""

from lib.deadline import wait_for
from lib.testcase import VmTestCase


class ClientMode(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(
            ["a", "b"], options=["--mode", "a=client", "--mode", "b=client"])
        self.assertEqual(self.switch.query("port", "show", "a")["state"], "connecting")
        self.a, self.b = self.testbed.start_guests(["a", "b"], listens=True)
        self.assert_forwards(self.a, self.b)

    def test_sigkill_and_sigterm(self):
        self.switch.kill()
        self.switch.start()
        self.assert_forwards(self.a, self.b)
        self.switch.terminate()
        self.switch.start()
        self.assert_forwards(self.a, self.b)
        self.assert_file_arrives(self.a, self.b, size=5_000_000)
        for guest in self.a, self.b:
            self.assertEqual(guest.current_boot_id(), guest.boot_id)

    def test_driver_reset_and_killed_vmm(self):
        self.a.run("net_reset")
        self.assert_forwards(self.a, self.b)
        self.a.kill()
        wait_for(lambda: self.switch.query("port", "show", "a")["state"] == "connecting", 10,
                 "the switch looks for the VMM again")
        self.a.start().wait_ready()
        self.assert_forwards(self.a, self.b)
