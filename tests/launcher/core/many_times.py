"""A topology of many QEMU guests, up and down again and again; nothing may remain.

VMs of 128 MB each. Prints a line a round: seconds up and down, and what the host's memory in use
changed by. Exit status 1 when a round leaves anything, needs a kill or does not end with 0.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
UP_SECONDS = 600


def memory_in_use():
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(fields["MemTotal"].split()[0]) - int(fields["MemAvailable"].split()[0])) // 1024


def mounts():
    return Path("/proc/self/mounts").read_text()


def main(build, count, times):
    os.environ.update(LAUNCHER=f"{build}/launcher/launcher", SWITCHD=f"{build}/switchd/switchd",
                      SWITCHCTL=f"{build}/switchd/switchctl/switchctl",
                      SWITCHD_GUEST_IMAGE=f"{build}/guest")
    sys.path.insert(0, str(HERE))
    from lab import Lab
    from test_guests import client, first, guest_image
    image = guest_image(os.environ["SWITCHD_GUEST_IMAGE"]).build()
    text = first(image, UP_SECONDS) + "".join(client(number, image, UP_SECONDS)
                                              for number in range(2, count + 1))
    before_mounts = mounts()
    for round_number in range(1, times + 1):
        before, start = memory_in_use(), time.monotonic()
        lab = Lab(os.environ["LAUNCHER"])
        try:
            lab.up(text, wait=False)
            lab.wait_line("everything is up", UP_SECONDS)
            up = time.monotonic()
            status = lab.interrupt(signal.SIGINT)
            down = time.monotonic()
            assert status == 0 and "killed" not in lab.said() and "force" not in lab.said(), lab.said()
            assert not lab.state.exists() and mounts() == before_mounts
        finally:
            lab.close()
        print(f"round {round_number}: up {up - start:.1f} s, down {down - up:.1f} s, memory "
              f"{memory_in_use() - before:+d} MB, nothing left", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda text: Path(text).resolve(), metavar="BUILD-DIRECTORY")
    parser.add_argument("vms", type=int, nargs="?", default=10, help="how many (%(default)s)")
    parser.add_argument("times", type=int, nargs="?", default=20, help="rounds (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse()
    main(arguments.build, arguments.vms, arguments.times)
