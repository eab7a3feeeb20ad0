"""Isolated ports reach those that are not isolated, never each other."""

from lib.testcase import VmTestCase


class Isolation(VmTestCase):
    def test_clients_reach_the_router_and_not_each_other(self):
        self.testbed.start_switch(["router", "a", "b"], ["--isolated", "a", "--isolated", "b"])
        router, a, b = self.testbed.start_guests(["router", "a", "b"])
        self.assert_forwards(a, router)
        self.assert_forwards(b, router)
        self.assertEqual(a.ping(b, count=3).received, 0)
        # Not even when the address is known, so that no broadcast stands in between.
        a.run(f"arp -s {b.address} {b.mac}")
        b.run(f"arp -s {a.address} {a.mac}")
        self.assertEqual(a.ping(b, count=3).received, 0)
        self.assertEqual(b.ping(a, count=3).received, 0)
        self.assert_forwards(a, router)
