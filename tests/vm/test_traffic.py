"""The main job: two guests talk through the switch, and it says so."""

from lib.testcase import VmTestCase


class Traffic(VmTestCase):
    def test_ping_and_tcp_between_two_guests(self):
        switch = self.testbed.start_switch(["a", "b"])
        a, b = self.testbed.start_guests(["a", "b"])
        self.assert_forwards(a, b, count=20)
        self.assert_file_arrives(a, b)
        self.assert_file_arrives(b, a)
        table = switch.command("mac", "list")
        self.assertIn(a.mac, table)
        self.assertIn(b.mac, table)

    def test_three_guests_reach_each_other(self):
        self.testbed.start_switch(["a", "b", "c"])
        guests = self.testbed.start_guests(["a", "b", "c"])
        for guest in guests:
            for other in guests:
                if guest is not other:
                    self.assert_forwards(guest, other, count=3)
