"""TCP between guests whose devices can do different things: each gets what it can take.

A cell is one connection, from a sender with some offloads to a receiver with others. Guests are
booted once for each kind and then talk to each other: what arrives whole, what is completed and
what is cut must be exactly what the two devices make necessary, and no guest may see a checksum
that is wrong.
"""

from lib.testcase import VmTestCase

SIZE = 8_000_000
COUNTERS = ("checksums_completed", "tso_whole", "tso_whole_60k", "tso_cut", "tso_segments")

# What each kind of guest lacks, as properties of its virtio-net device.
KINDS = {
    "full": "",
    "nomerge": "mrg_rxbuf=off",
    "takecsum": "guest_tso4=off,guest_tso6=off,guest_ecn=off",
    "takenone": "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off",
    "takenonesmall": "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,mrg_rxbuf=off",
    "sendcsum": "host_tso4=off,host_tso6=off,host_ecn=off",
    "sendnone": "csum=off,host_tso4=off,host_tso6=off,host_ecn=off",
}


def takes_checksum(kind):
    return not kind.startswith("takenone")


def takes_segments(kind):
    return not kind.startswith("take")


def sends_checksum(kind):
    return kind != "sendnone"


def sends_segments(kind):
    return not kind.startswith("send")


class Offloads(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(list(KINDS))
        started = [self.testbed.start_guest(kind, device) for kind, device in KINDS.items()]
        self.guests = {guest.name: guest.wait_ready() for guest in started}

    def counters(self, kind):
        egress = self.switch.query("port", "show", kind)["counters"]["egress"]
        drops = sum(count for name, count in egress.items() if name.startswith("drop_"))
        self.assertEqual(egress["attempted"], egress["frames"] + drops)
        return {name: egress[name] for name in COUNTERS}

    def checksum_errors(self, guest):
        """InCsumErrors of TCP and UDP, which Linux counts for every wrong one."""
        lines = guest.run("grep -E '^(Tcp|Udp):' /proc/net/snmp").splitlines()
        errors = 0
        for names, values in zip(lines[::2], lines[1::2]):
            errors += int(dict(zip(names.split(), values.split()))["InCsumErrors"])
        return errors

    def transfer(self, sender, receiver, digest):
        """What the counters of both ports rose by while the file went over."""
        before = self.counters(receiver.name), self.counters(sender.name)
        arrived, _ = receiver.fetch_file(sender)
        self.assertEqual(arrived, digest)
        after = self.counters(receiver.name), self.counters(sender.name)
        return [{name: new[name] - old[name] for name in COUNTERS}
                for new, old in zip(after, before)]

    def check_cell(self, sender, receiver, rise):
        segments = sends_segments(sender)
        whole = segments and takes_segments(receiver)
        cut = segments and not whole
        completed = sends_checksum(sender) and not takes_checksum(receiver)
        self.assertEqual(rise["tso_whole"] > 0, whole, rise)
        self.assertEqual(rise["tso_whole_60k"] > 0, whole, rise)
        self.assertEqual(rise["tso_cut"] > 0, cut, rise)
        self.assertGreaterEqual(rise["tso_segments"], rise["tso_cut"], rise)
        self.assertEqual(rise["checksums_completed"] > 0, completed, rise)

    def test_every_sender_to_every_receiver(self):
        digests = {kind: guest.offer_file(SIZE) for kind, guest in self.guests.items()
                   if kind in ("full", "sendcsum", "sendnone")}
        for sender, digest in digests.items():
            for receiver in KINDS:
                if receiver == sender:
                    continue
                with self.subTest(sender=sender, receiver=receiver):
                    there, _ = self.transfer(self.guests[sender], self.guests[receiver], digest)
                    self.check_cell(sender, receiver, there)
        for kind, guest in self.guests.items():
            self.assertEqual(self.checksum_errors(guest), 0, kind)
        for kind in KINDS:
            ingress = self.switch.query("port", "show", kind)["counters"]["ingress"]
            self.assertEqual(ingress["drop_header"] + ingress["drop_bad_offload"], 0, kind)
