"""The base of every VM test.

SWITCHD and SWITCHCTL are the programs under test, SWITCHD_GUEST_IMAGE the cache directory of the
guest image; CTest sets all three.
"""

import os
import unittest
from pathlib import Path

from .processes import turn_signals_into_exits
from .switch import Programs
from .testbed import Testbed

FILE_SIZE = 25_000_000


class VmTestCase(unittest.TestCase):
    def setUp(self):
        turn_signals_into_exits()
        programs = Programs(Path(os.environ["SWITCHD"]), Path(os.environ["SWITCHCTL"]))
        self.testbed = Testbed(programs, os.environ["SWITCHD_GUEST_IMAGE"])
        self.addCleanup(self._close_testbed)

    def _close_testbed(self):
        # Errors are in the result by the time clean-ups run; unittest shows them nowhere else.
        result = self._outcome.result
        failed = any(test is self for test, _ in result.failures + result.errors)
        self.testbed.close(failed)

    def assert_no_loss(self, result):
        self.assertGreater(result.sent, 0)
        self.assertEqual(result.lost, 0, f"{result.lost} of {result.sent} pings lost")

    def assert_forwards(self, guest, other, count=5):
        """Both ways, large frames, nothing lost."""
        guest.wait_reachable(other)
        self.assert_no_loss(guest.ping(other, count))
        self.assert_no_loss(other.ping(guest, count))

    def assert_file_arrives(self, sender, receiver, size=FILE_SIZE):
        digest = sender.offer_file(size)
        arrived, _ = receiver.fetch_file(sender)
        self.assertEqual(arrived, digest)
