"""Linux guests with several pairs of queues, which they change while TCP runs."""

import re

from lib.deadline import wait_for
from lib.guest import HTTP_PORT
from lib.testcase import VmTestCase

QUEUES = 4
FLOWS = 8
SIZE = 4_000_000


class Multiqueue(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(["a", "b"])
        initramfs = self.testbed.tools_initramfs()
        self.a, self.b = self.testbed.start_guests(["a", "b"], queues=QUEUES, cpus=2,
                                                   initramfs=initramfs)

    def use_queues(self, guest, count):
        """Returns when the switch serves that many."""
        guest.run(f"ethtool -L eth0 combined {count}")
        wait_for(lambda: self.switch.query("port", "show", guest.name)["running_queues"] == count,
                 10, f"{count} queues of {guest.name} run")

    def packets_by_queue(self, guest):
        statistics = guest.run("ethtool -S eth0")
        return [int(count) for count in re.findall(r"rx_queue_\d+_packets: (\d+)", statistics)]

    def fetch_in_parallel(self, between=lambda: None):
        """Several files from a to b at once; `between` is done meanwhile."""
        digest = self.a.offer_file(SIZE)
        url = f"http://{self.a.address}:{HTTP_PORT}/data"
        flows = " ".join(map(str, range(FLOWS)))
        self.b.run(f"for flow in {flows}; do (wget -q -O - {url} | sha256sum >/tmp/part;"
                   "mv /tmp/part /tmp/sum$flow) & done".replace("/tmp/part", "/tmp/part$flow"))
        between()
        wait_for(lambda: int(self.b.run("ls /tmp/sum* 2>/dev/null | wc -l")) == FLOWS, 120,
                 "all flows end")
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
