"""Linux guests with several pairs of queues, which they change while TCP runs."""

import re

from lib.deadline import wait_for
from lib.guest import HTTP_PORT
from lib.testcase import VmTestCase
from test_migration import MEMORY

QUEUES = 4
FLOWS = 8
SIZE = 4_000_000


class Multiqueue(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(["a", "b", "away"])
        initramfs = self.testbed.tools_initramfs()
        self.a, self.b = self.testbed.start_guests(["a", "b"], queues=QUEUES, cpus=2,
                                                   initramfs=initramfs, memory=MEMORY)

    def use_queues(self, guest, count):
        """Returns when the switch serves that many."""
        guest.run(f"ethtool -L eth0 combined {count}")
        wait_for(lambda: self.switch.query("port", "show", guest.name)["running_queues"] == count,
                 10, f"{count} queues of {guest.name} run")

    def packets_by_queue(self, guest):
        statistics = guest.run("ethtool -S eth0")
        return [int(count) for count in re.findall(r"rx_queue_\d+_packets: (\d+)", statistics)]

    def files_arrived(self):
        return int(self.b.run("ls /tmp/sum* 2>/dev/null | wc -l"))

    def fetch_in_parallel(self, between=lambda: None, size=SIZE):
        """Several files from a to b at once; `between` is done meanwhile. Where b is another guest
        then, the files arrive there."""
        digest = self.a.offer_file(size)
        url = f"http://{self.a.address}:{HTTP_PORT}/data"
        flows = " ".join(map(str, range(FLOWS)))
        self.b.run(f"for flow in {flows}; do (wget -q -O - {url} | sha256sum >/tmp/part;"
                   "mv /tmp/part /tmp/sum$flow) & done".replace("/tmp/part", "/tmp/part$flow"))
        between()
        wait_for(lambda: self.files_arrived() == FLOWS, 120, "all flows end")
        sums = self.b.run("cat /tmp/sum* && rm /tmp/sum*").split()[::2]
        self.assertEqual(sums, [digest] * FLOWS)

    def test_flows_are_spread_over_the_queues_in_use(self):
        for guest in (self.a, self.b):
            self.use_queues(guest, QUEUES)
        before = self.packets_by_queue(self.b)
        self.fetch_in_parallel()
        after = self.packets_by_queue(self.b)
        used = sum(new - old > 100 for new, old in zip(after, before))
        self.assertGreaterEqual(used, 2, f"{before} {after}")

    def test_the_number_of_queues_changes_under_traffic(self):
        def change():
            for count in (QUEUES, 2, 3, 1, QUEUES, 1, 2):
                for guest in (self.a, self.b):
                    self.use_queues(guest, count)
        self.fetch_in_parallel(change)
        self.assert_forwards(self.a, self.b)

    def test_flows_on_all_queues_move_with_their_guest(self):
        """The switch writes into several queues' buffers, and marks their pages in one log."""
        for guest in (self.a, self.b):
            self.use_queues(guest, QUEUES)
        before = self.packets_by_queue(self.b)

        def move():
            home, self.b = self.b, self.testbed.start_twin(self.b, "away")
            home.migrate(self.b)
            self.assertEqual(self.files_arrived(), 0, "the flows ended too early")

        self.fetch_in_parallel(move, size=30_000_000)
        used = sum(new - old > 100 for new, old in zip(self.packets_by_queue(self.b), before))
        self.assertGreaterEqual(used, 2)
        self.assertEqual(self.switch.query("port", "show", "away")["running_queues"], QUEUES)
        self.assert_forwards(self.a, self.b)
