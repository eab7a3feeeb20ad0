"""Guests with packed rings, on ports that offer them, and beside one with split rings."""

from lib.testcase import VmTestCase

RING_PACKED = "RING_PACKED"


class PackedRings(VmTestCase):
    def features(self, port):
        return self.switch.query("port", "show", port)["feature_names"]

    def start_pair(self, device):
        """A guest with packed rings and one with split ones."""
        self.switch = self.testbed.start_switch([])
        self.switch.command("port", "add", "packed", "--packed")
        self.switch.command("port", "add", "split")
        self.switch.command("port", "add", "third")
        packed = self.testbed.start_guest("packed", device)
        split = self.testbed.start_guest("split")
        packed.wait_ready()
        split.wait_ready()
        packed.wait_reachable(split)
        self.assertIn(RING_PACKED, self.features("packed"))
        self.assertNotIn(RING_PACKED, self.features("split"))
        return packed, split

    def assert_works(self, device):
        packed, split = self.start_pair(device)
        self.assert_forwards(packed, split, count=10)
        self.assert_file_arrives(packed, split, size=5_000_000)
        self.assert_file_arrives(split, packed, size=5_000_000)
        return packed, split

    def test_usual_device(self):
        packed, split = self.assert_works("packed=on")
        packed.reboot()
        self.assert_forwards(packed, split)
        self.assertIn(RING_PACKED, self.features("packed"))

    def test_after_sigkill_the_driver_sets_the_device_up_anew(self):
        packed, split = self.start_pair("packed=on")
        third = self.testbed.start_guest("third")
        third.wait_ready()
        self.switch.kill()
        self.switch.start()
        self.assert_forwards(split, third)  # whatever became of the other one
        packed.run("net_reset")
        self.assert_forwards(packed, split)
        self.assertEqual(packed.current_boot_id(), packed.boot_id)
        self.assertIn(RING_PACKED, self.features("packed"))

    def test_bare_device(self):
        self.assert_works("packed=on,mrg_rxbuf=off,indirect_desc=off,event_idx=off")

    def test_both_guests(self):
        self.switch = self.testbed.start_switch([])
        for port in ("a", "b"):
            self.switch.command("port", "add", port, "--packed")
        a, b = self.testbed.start_guests(["a", "b"], "packed=on")
        self.assert_forwards(a, b, count=10)
        self.assert_file_arrives(a, b)
        self.assertIn(RING_PACKED, self.features("b"))

    def test_not_offered_by_default(self):
        self.switch = self.testbed.start_switch(["a", "b"])
        a, b = self.testbed.start_guests(["a", "b"], "packed=on")
        self.assert_forwards(a, b)
        self.assertNotIn(RING_PACKED, self.features("a"))
