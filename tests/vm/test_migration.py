"""A guest moves to another VMM on another port of the switch, where a third one finds it."""

from lib.testcase import VmTestCase

# 256 MiB and 8 KiB. QEMU before 9.0 without KVM loses writes of the guest's own processor while it
# migrates memory that is a multiple of 256 KiB, with any network card or none: its TLB goes on
# without the dirty bit that was just cleared (mended by QEMU's commit 03bfc2188f06).
MEMORY = "262152K"


class MovingGuest(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(["third", "home", "away"])
        self.third, self.vm = self.testbed.start_guests(["third", "home"], memory=MEMORY)
        self.assert_forwards(self.third, self.vm)

    def assert_on_port(self, guest, port):
        places = {mac["address"]: mac["port"] for mac in self.switch.query("mac", "list")["macs"]}
        self.assertEqual(places[guest.mac], port)

    def move(self, guest, port):
        twin = self.testbed.start_twin(guest, port)
        info = guest.migrate(twin)
        print(f"to {port}: {info['total-time']} ms, {info['downtime']} ms down, "
              f"{info['ram']['transferred'] >> 20} MiB moved")
        twin.run("true")
        return twin


class Migration(MovingGuest):
    def test_there_and_back(self):
        here = self.vm
        for port in ("away", "home", "away"):
            there = self.move(here, port)
            here.stop()
            self.assert_forwards(self.third, there)
            self.assert_on_port(there, port)
            self.assert_file_arrives(self.third, there, size=5_000_000)
            here = there

    def test_the_switch_was_asked_to_log_and_to_announce(self):
        moved = self.move(self.vm, "away")
        self.assert_forwards(self.third, moved)
        home = self.switch.command("port", "show", "home", "--messages")
        away = self.switch.command("port", "show", "away", "--messages")
        for message in ("SET_LOG_BASE", "logged"):
            self.assertIn(message, home)
        self.assertIn("SEND_RARP", away)
