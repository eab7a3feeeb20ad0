"""A guest that resets its device or reboots is served again; one that dies harms nobody."""

from lib.deadline import wait_for
from lib.testcase import VmTestCase


class GuestRestart(VmTestCase):
    def test_driver_reset(self):
        self.testbed.start_switch(["a", "b"])
        a, b = self.testbed.start_guests(["a", "b"])
        self.assert_forwards(a, b)
        for _ in range(3):
            a.run("net_reset")
            self.assert_forwards(a, b)

    def test_reboot(self):
        self.testbed.start_switch(["a", "b"])
        a, b = self.testbed.start_guests(["a", "b"])
        self.assert_forwards(a, b)
        a.reboot()
        self.assert_forwards(a, b)
        self.assert_file_arrives(a, b)

    def test_killed_vmm_harms_nobody(self):
        switch = self.testbed.start_switch(["a", "b", "victim"])
        a, b, victim = self.testbed.start_guests(["a", "b", "victim"])
        self.assert_forwards(a, b)
        self.assert_forwards(victim, a)
        lasts = a.start_ping(b, count=200, size=1400, interval=0.05)
        # The victim dies with its rings in use.
        victim.start_ping(a, count=10_000, interval=0.01)
        wait_for(lambda: a.pings_received() > 20, 30, "pings run")
        victim.kill()
        wait_for(lambda: switch.query("port", "show", "victim")["state"] == "listening", 10,
                 "the victim's port listens again")
        self.assertLess(a.pings_received(), 200, "the pings ended before the victim did")
        self.assert_no_loss(a.finish_ping(lasts))
        # A new VMM takes the dead one's place.
        victim.start().wait_ready()
        self.assert_forwards(victim, b)
