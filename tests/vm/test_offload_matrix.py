"""TCP from a sender with every setting of its device to receivers with every set of features.

A cell is one connection: what the sender's device is told to do (by ethtool), what the receiver's
can take (by QEMU's properties of it: 32 combinations), IPv4 or IPv6. What each receiver negotiated
is read in the guest, and from that follows which counters of its port rise: whole segments,
segments cut, checksums completed, and none else. No guest may see a checksum that is wrong.
SWITCHD_OFFLOAD_CELLS=all tests every cell; by default some, each receiver once.
"""

import itertools
import os
import random

from lib.guest import HTTP_PORT
from lib.testcase import VmTestCase

SIZE = 2_000_000
PROPERTIES = ("guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "mrg_rxbuf")
# virtio 1.2, 5.1.3
BITS = {"guest_csum": 1, "guest_tso4": 7, "guest_tso6": 8, "guest_ecn": 9, "mrg_rxbuf": 15}
CARDS = 8  # of each receiver
COUNTERS = ("checksums_completed", "tso_whole", "tso_whole_60k", "tso_cut")
# The last marks some packets as having met congestion, whereupon others carry CWR: only a segment
# that does needs the receiver's guest_ecn. Shorter segments are more, of which enough are marked.
MARKING = ("/bin/ip link set eth0 gso_max_size 9000 &&"
           "/bin/tc qdisc replace dev eth0 root netem loss random 4% ecn")
SENDERS = {
    "segments": "ethtool -K eth0 tx on && ethtool -K eth0 tso on",
    "checksums": "ethtool -K eth0 tx on && ethtool -K eth0 tso off",
    "nothing": "ethtool -K eth0 tx off",
    "marked segments": f"ethtool -K eth0 tx on && ethtool -K eth0 tso on && {MARKING}",
}


class Card:
    """One device of a receiver, on a network of its own with the sender."""

    def __init__(self, number, guest, mac, properties):
        self.number = number
        self.guest = guest
        self.port = f"c{number}"
        self.properties = properties
        self.features = ""
        self._mac = mac

    def addresses(self, host):
        return f"10.78.{self.number}.{host}", f"fd78:{self.number}::{host}"

    def set_up(self):
        name = self.guest.run(f"grep -l {self._mac} /sys/class/net/*/address | cut -d/ -f5").strip()
        configure(self.guest, name, [self.addresses(2)])
        self.features = self.guest.run(f"cat /sys/class/net/{name}/device/features").strip()

    def has(self, feature):
        return self.features[BITS[feature]] == "1"

    def takes_whole(self, family, marked):
        """Whether segments of that family may reach the guest as they are: 5.1.3.1 has what a
        feature requires."""
        return (self.has("guest_csum") and self.has("guest_tso4" if family == 4 else "guest_tso6")
                and (self.has("guest_ecn") or not marked))


def configure(guest, interface, addresses):
    settings = f"/proc/sys/net/ipv6/conf/{interface}"
    guest.run(f"echo 0 >{settings}/accept_dad; echo 0 >{settings}/dad_transmits;"
              f"ip link set {interface} up")
    for address, address6 in addresses:
        guest.run(f"ip addr add {address}/24 dev {interface} &&"
                  f"ip -6 addr add {address6}/64 dev {interface}")


def chosen_cells(cards):
    """Those of one sender are neighbours."""
    cells = list(itertools.product(SENDERS, cards, (4, 6)))
    if os.environ.get("SWITCHD_OFFLOAD_CELLS") == "all":
        return cells
    draw = random.Random(8)
    some = {(draw.choice(list(SENDERS)), card, draw.choice((4, 6))) for card in cards}
    return [cell for cell in cells if cell in some]


class OffloadMatrix(VmTestCase):
    def setUp(self):
        super().setUp()
        values = itertools.product(("on", "off"), repeat=len(PROPERTIES))
        devices = [",".join(map("=".join, zip(PROPERTIES, value))) for value in values]
        ports = [f"c{number}" for number in range(len(devices))]
        self.switch = self.testbed.start_switch(["sender", *ports])
        options = {"ipv6": True, "initramfs": self.testbed.tools_initramfs()}
        self.sender = self.testbed.start_guest("sender", **options)
        self.cards = []
        for first in range(0, len(devices), CARDS):
            self._start_receiver(first, ports, devices, options)
        for guest in self._guests():
            guest.wait_ready()
            # Addresses are answered for where they are; segments as long as they may be, however
            # slow this machine is.
            guest.run("for file in /proc/sys/net/ipv4/conf/*/arp_ignore; do echo 1 >$file; done;"
                      "echo 20 >/proc/sys/net/ipv4/tcp_tso_rtt_log;"
                      "echo 1 >/proc/sys/net/ipv4/tcp_ecn")
        for card in self.cards:
            card.set_up()
        configure(self.sender, "eth0", [card.addresses(1) for card in self.cards])

    def _start_receiver(self, first, ports, devices, options):
        mine = list(zip(ports, devices))[first:first + CARDS]
        guest = self.testbed.start_guest(*mine[0], more_ports=mine[1:], **options)
        macs = [guest.mac] + [guest.card_mac(number) for number in range(CARDS - 1)]
        self.cards += [Card(first + number, guest, macs[number], devices[first + number])
                       for number in range(CARDS)]

    def _guests(self):
        return [self.sender, *dict.fromkeys(card.guest for card in self.cards)]

    def counters(self, card):
        egress = self.switch.query("port", "show", card.port)["counters"]["egress"]
        return {name: egress[name] for name in COUNTERS}

    def fetch(self, card, family):
        """What the counters of its port rose by while the file came."""
        address = card.addresses(1)[0] if family == 4 else f"[{card.addresses(1)[1]}]"
        before = self.counters(card)
        card.guest.run(f"wget -q -O /tmp/data http://{address}:{HTTP_PORT}/data", seconds=60)
        arrived = card.guest.run("sha256sum </tmp/data && rm /tmp/data").split()[0]
        self.assertEqual(arrived, self.digest)
        return {name: count - before[name] for name, count in self.counters(card).items()}

    def check_cell(self, card, family, sender):
        rise = self.fetch(card, family)
        segments = sender.endswith("segments")
        marked = sender == "marked segments"
        whole = segments and card.takes_whole(family, marked=False)
        cut = segments and not card.takes_whole(family, marked)
        completed = sender != "nothing" and not card.has("guest_csum")
        self.assertEqual(rise["tso_whole"] > 0, whole, rise)
        self.assertEqual(rise["tso_cut"] > 0, cut, rise)
        self.assertEqual(rise["checksums_completed"] > 0, completed, rise)
        self.long_segments += rise["tso_whole_60k"]

    def checksum_errors(self, guest):
        """Of TCP, which counts both families together, and UDP and ICMP."""
        lines = guest.run("grep -E '^(Tcp|Udp|Icmp):' /proc/net/snmp").splitlines()
        errors = 0
        for names, values in zip(lines[::2], lines[1::2]):
            errors += int(dict(zip(names.split(), values.split()))["InCsumErrors"])
        lines = guest.run("grep CsumErrors /proc/net/snmp6").splitlines()
        return errors + sum(int(line.split()[1]) for line in lines)

    def test_every_setting_of_the_sender_to_every_receiver(self):
        self.digest = self.sender.offer_file(SIZE)
        self.long_segments = 0  # how long they get is TCP's to say, for each connection anew
        cells = chosen_cells(self.cards)
        for sender, group in itertools.groupby(cells, key=lambda cell: cell[0]):
            self.sender.run(SENDERS[sender])
            for _, card, family in group:
                with self.subTest(sender=sender, receiver=card.properties, family=family):
                    self.check_cell(card, family, sender)
        self.assertGreater(self.long_segments, 0)
        for guest in self._guests():
            self.assertEqual(self.checksum_errors(guest), 0, guest.name)
        for port in ("sender", *(card.port for card in self.cards)):
            ingress = self.switch.query("port", "show", port)["counters"]["ingress"]
            self.assertEqual(ingress["drop_header"] + ingress["drop_bad_offload"], 0, port)
        print(f"{len(cells)} cells", flush=True)
