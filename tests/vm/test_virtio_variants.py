"""Guests whose device lacks features, or has the legacy interface, talk to one that has all."""

from lib.testcase import VmTestCase


class VirtioVariants(VmTestCase):
    def assert_variant_works(self, device):
        self.testbed.start_switch(["a", "b"])
        variant = self.testbed.start_guest("a", device)
        full = self.testbed.start_guest("b")
        variant.wait_ready()
        full.wait_ready()
        self.assert_forwards(variant, full, count=10)
        self.assert_file_arrives(variant, full, size=5_000_000)
        self.assert_file_arrives(full, variant, size=5_000_000)

    def test_no_mergeable_buffers(self):
        self.assert_variant_works("mrg_rxbuf=off")

    def test_no_indirect_descriptors(self):
        self.assert_variant_works("indirect_desc=off")

    def test_no_event_index(self):
        self.assert_variant_works("event_idx=off")

    def test_legacy_device(self):
        self.assert_variant_works("disable-modern=on,disable-legacy=off")

    def test_legacy_device_with_ten_byte_header(self):
        # Without mergeable buffers a legacy header has no num_buffers field.
        self.assert_variant_works("disable-modern=on,disable-legacy=off,mrg_rxbuf=off")

    def test_bare_device(self):
        self.assert_variant_works("mrg_rxbuf=off,indirect_desc=off,event_idx=off")

    def test_long_rings(self):
        self.assert_variant_works("rx_queue_size=1024,tx_queue_size=1024")
