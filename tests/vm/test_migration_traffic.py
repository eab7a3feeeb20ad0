"""A guest moves to another VMM on another port of the switch while a third one talks to it.

The third guest pings it and both stream data to each other over TCP. What arrives in the moving
guest is written into its memory by the switch, so that a page missing in the dirty log is stale
after the move and shows as damaged data, or as a page that differs before the guest runs on. How
long nobody answered is printed; with SWITCHD_TIMED=1 in the environment, on a machine that does
nothing else, it is held against the bar.
"""

import os

from lib.deadline import wait_for
from test_migration import MovingGuest

INTERVAL = 0.05
BAR_SECONDS = 1.0  # without an answer
BIG_MIB = 32
CHUNKS = 200  # of a stream, 16 KiB each, one in some ten milliseconds

SEND = ("for i in $(seq {chunks}); do dd if=/tmp/out bs=16k skip=$((i - 1)) count=1 2>/dev/null; "
        "usleep 10000; done | nc -l -p 9000 >/dev/null 2>&1 &")
# The receiver must not say that it has nothing to send: the sender would end.
RECEIVE = "sleep 1000 | nc {address} 9000 >/tmp/in 2>&1 &"


class MigrationUnderTraffic(MovingGuest):
    def offer_stream(self, guest):
        """The SHA-256 of what `guest` is about to send, slowly, to whoever connects."""
        guest.run(f"dd if=/dev/urandom of=/tmp/out bs=16k count={CHUNKS}", seconds=60)
        guest.run(SEND.format(chunks=CHUNKS))
        return guest.run("sha256sum </tmp/out").split()[0]

    def assert_stream_arrived(self, guest, digest):
        def whole():
            return int(guest.run("wc -c </tmp/in")) == CHUNKS * 16384
        wait_for(whole, 90, f"{guest.name} has the whole stream")
        self.assertEqual(guest.run("sha256sum </tmp/in").split()[0], digest)

    def received(self, guest):
        return int(guest.run("wc -c </tmp/in"))

    @staticmethod
    def waited(early, late):
        """How long the guest that pings went without an answer between these two. Where nothing is
        missing it asked for the later one only `took` before: it was late itself with asking."""
        if late.number == early.number + 1:
            return min(late.at - early.at, late.took)
        return late.at - early.at

    def assert_answered_without_gap(self, start):
        answers = [answer for answer in self.third.end_ping() if answer.at >= start]
        self.assertGreater(len(answers), 20)
        pairs = list(zip(answers, answers[1:]))
        waited = max(self.waited(*pair) for pair in pairs)
        apart = max(late.at - early.at for early, late in pairs)
        lost = answers[-1].number - answers[0].number + 1 - len(answers)
        print(f"without an answer for {waited:.2f} s at the longest (answers {apart:.2f} s apart, "
              f"with the time in which nothing was asked); {len(answers)} answers, {lost} lost")
        if os.environ.get("SWITCHD_TIMED"):
            self.assertLessEqual(waited, BAR_SECONDS)

    def test_under_ping_and_tcp(self):
        self.vm.run(f"dd if=/dev/urandom of=/tmp/big bs=1M count={BIG_MIB}", seconds=60)
        memory = self.vm.run("sha256sum </tmp/big", seconds=60)
        self.third.use_steady_clock()
        self.third.start_endless_ping(self.vm, INTERVAL)
        from_vm, from_third = self.offer_stream(self.vm), self.offer_stream(self.third)
        self.vm.run(RECEIVE.format(address=self.third.address))
        self.third.run(RECEIVE.format(address=self.vm.address))
        wait_for(lambda: self.received(self.vm) and self.received(self.third), 20, "streams run")
        start = self.third.answers()[-1].at

        moved = self.move(self.vm, "away")
        self.assertLess(self.received(self.third), CHUNKS * 16384, "the stream ended too early")
        self.assertEqual(moved.current_boot_id(), self.vm.boot_id)
        self.assert_stream_arrived(self.third, from_vm)
        self.assert_stream_arrived(moved, from_third)
        self.assert_answered_without_gap(start)
        self.assert_on_port(moved, "away")
        self.assertEqual(moved.run("sha256sum </tmp/big", seconds=60), memory)

    def test_no_page_is_stale(self):
        # So slow that the ring's buffers are not posted anew within a migration: a page that its
        # guest writes, too, arrives whether the switch logs it or not.
        self.third.start_ping(self.vm, 3000, size=1400, interval=0.01)
        wait_for(lambda: self.third.pings_received() > 20, 20, "pings run")
        moved = self.testbed.start_twin(self.vm, "away", paused=True)
        before = self.third.pings_received()
        self.vm.migrate(moved)
        wait_for(lambda: moved.qmp.execute("query-status")["status"] == "paused", 20, "it arrives")
        self.assertGreater(self.third.pings_received(), before + 10)
        self.assertEqual(self.stale_pages(moved), [])
        moved.resume()
        answers = self.third.pings_received()
        wait_for(lambda: self.third.pings_received() > answers + 10, 20, "it answers again")

    def stale_pages(self, moved):
        """Places in memory of the pages that are not as they were where the guest came from."""
        old, new = self.vm.ram(), moved.ram()
        self.assertEqual(len(old), len(new))
        return [hex(at) for at in range(0, len(old), 4096) if old[at:at + 4096] != new[at:at + 4096]]
