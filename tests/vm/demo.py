"""The demo: two real VMs talk through a switchd that runs as an ordinary user.

demo.py SWITCHD SWITCHCTL IMAGE-DIRECTORY, usually through scripts/demo. Exit status 0 when all of it
worked; then nothing is left behind, and neither is when it did not.
"""

import os
import sys
import time
from pathlib import Path

from lib.processes import turn_signals_into_exits
from lib.switch import Programs
from lib.testbed import Testbed

PINGS = 20
PING_SIZE = 1400
FILE_SIZE = 25_000_000


class Steps:
    """Says what is being done, and how long it took."""

    def __init__(self):
        self._start = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)


def main(switchd, switchctl, image_directory):
    turn_signals_into_exits()
    steps = Steps()
    steps.say("Preparing the guests' kernel and initramfs, and seeing whether KVM works")
    with Testbed(Programs(Path(switchd), Path(switchctl)), image_directory) as testbed:
        return run(steps, testbed)


def run(steps, testbed):
    user = "nobody" if os.geteuid() == 0 else None
    steps.say(f"Starting switchd{f' as user {user}' if user else ''} with ports vm1 and vm2")
    switch = testbed.start_switch(["vm1", "vm2"], user=user)
    steps.say(f"Booting two VMs ({testbed.accelerator})")
    vm1, vm2 = testbed.start_guests(["vm1", "vm2"])
    steps.say(f"Both are up; vm1 pings vm2 {PINGS} times with {PING_SIZE} bytes")
    vm1.wait_reachable(vm2)
    result = vm1.ping(vm2, count=PINGS, size=PING_SIZE)
    steps.say(f"  {result.received} of {result.sent} came back: "
              f"{100 * result.lost // result.sent} % lost")
    intact = transfer(steps, vm1, vm2)
    for words in ("port", "list"), ("mac", "list"), ("stats",):
        steps.say(f"switchctl {' '.join(words)}")
        print(switch.command(*words), flush=True)
    steps.say("Stopping the VMs and switchd")
    return finish(steps, testbed, result.lost == 0 and intact)


def transfer(steps, sender, receiver):
    steps.say(f"{receiver.name} fetches {FILE_SIZE // 1_000_000} MB from {sender.name} over TCP")
    digest = sender.offer_file(FILE_SIZE)
    arrived, seconds = receiver.fetch_file(sender)
    steps.say(f"  sent     {digest}")
    steps.say(f"  arrived  {arrived}: {'the same' if arrived == digest else 'NOT THE SAME'}, "
              f"{FILE_SIZE / seconds / 1e6:.1f} MB/s")
    return arrived == digest


def finish(steps, testbed, passed):
    if not passed:
        testbed.print_logs()
        steps.say("The demo FAILED")
        return 1
    testbed.switch.terminate()
    steps.say("All of it worked")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
