"""Ports come and go while others carry traffic, and none of its frames is lost."""

from lib.deadline import wait_for
from lib.testcase import VmTestCase

ROUNDS = 10


class LivePorts(VmTestCase):
    def test_add_and_remove_under_traffic(self):
        switch = self.testbed.start_switch(["a", "b"])
        a, b = self.testbed.start_guests(["a", "b"])
        self.assert_forwards(a, b)
        lasts = a.start_ping(b, count=200, size=1400, interval=0.05)
        wait_for(lambda: a.pings_received() > 5, 30, "pings run")
        for _ in range(ROUNDS):
            switch.command("port", "add", "c", "--socket-path", switch.socket("c"))
            switch.command("port", "remove", "c")
            self.assertFalse(switch.socket("c").exists())
        self.assertLess(a.pings_received(), 200, "the pings ended before the changes did")
        self.assert_no_loss(a.finish_ping(lasts))

    def test_remove_with_a_guest_attached_wants_force(self):
        switch = self.testbed.start_switch(["a", "b", "c"])
        a, b, c = self.testbed.start_guests(["a", "b", "c"])
        self.assert_forwards(c, a)
        with self.assertRaisesRegex(AssertionError, "force"):
            switch.command("port", "remove", "c")
        self.assert_forwards(c, a)
        lasts = a.start_ping(b, count=100, size=1400, interval=0.05)
        wait_for(lambda: a.pings_received() > 5, 30, "pings run")
        switch.command("port", "remove", "c", "--force")
        self.assertLess(a.pings_received(), 100, "the pings ended before the port was removed")
        self.assert_no_loss(a.finish_ping(lasts))
        self.assertNotIn(c.mac, switch.command("mac", "list"))
        # The same name again: its guest, whose VMM kept trying, is back.
        switch.command("port", "add", "c", "--socket-path", switch.socket("c"))
        self.assert_forwards(c, a)
        self.assertEqual(c.current_boot_id(), c.boot_id)
