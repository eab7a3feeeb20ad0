"""How long two QEMU guests have no network when switchd is killed and started again.

A ping runs without pause. Four moments are told: from the kill until switchd says that all sockets
listen; from there until both VMMs are connected (with QEMU's reconnect=1 that is QEMU's own wait of
whole seconds; with server=on it is switchd that comes); from there until a frame has been delivered
to each guest; and all of it. No guest may have been rebooted.

Exit status: 0 within the bounds, 1 not, 2 bad options.
"""

import argparse
import json
import socket
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib.deadline import Deadline
from lib.processes import turn_signals_into_exits
from lib.switch import Programs
from lib.testbed import Testbed

BOUND_MS = 1000
PORTS = ("a", "b")
SECONDS = 20
PING_INTERVAL = 0.01


class Control:
    """The control socket, asked as often as it answers."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(SECONDS)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rw")

    def call(self, method):
        self._file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}) + "\n")
        self._file.flush()
        return json.loads(self._file.readline())["result"]

    def connected(self):
        return all(port["vmm_pid"] for port in self.call("port.list")["ports"])

    def delivered(self):
        return all(port["egress"]["frames"] for port in self.call("stats.get")["ports"])

    def close(self):
        self._file.close()
        self._socket.close()


@dataclass
class Times:
    """In milliseconds; what they are is told above."""
    start: float
    wait: float
    frame: float
    outage: float


def until(condition, what):
    deadline = Deadline(SECONDS)
    while not condition():
        deadline.check(what)
    return time.monotonic()


def restart(switch):
    killed = time.monotonic()
    switch.kill()
    switch.start()
    listening = time.monotonic()
    control = Control(switch.control)
    try:
        connected = max(listening, until(control.connected, "the VMMs are connected"))
        arrived = until(control.delivered, "a frame is delivered to each guest")
    finally:
        control.close()
    return Times(*(1000 * seconds for seconds in (listening - killed, connected - listening,
                                                  arrived - connected, arrived - killed)))


def measure(programs, image, listens, rounds):
    options = [word for port in PORTS for word in ("--mode", f"{port}=client")] if listens else []
    with Testbed(programs, image) as testbed:
        switch = testbed.start_switch(PORTS, options)
        a, b = testbed.start_guests(PORTS, listens=listens)
        a.wait_reachable(b)
        # A guest forgets its neighbours while its link is down, and asks for them once a second.
        for guest, other in (a, b), (b, a):
            guest.run(f"arp -s {other.address} {other.mac}")
        all_times = []
        for _ in range(rounds):
            lasts = a.start_ping(b, count=300, interval=PING_INTERVAL)
            all_times.append(restart(switch))
            a.finish_ping(lasts)
            a.wait_reachable(b)
        for guest in a, b:
            if guest.current_boot_id() != guest.boot_id:
                raise AssertionError(f"{guest.name} was rebooted")
        return all_times


def tell(name, all_times, bound_of, bound_name, untimed):
    def told(key):
        values = [getattr(times, key) for times in all_times]
        return f"{statistics.median(values):.0f} (worst {max(values):.0f})"
    worst = max(getattr(times, bound_of) for times in all_times)
    good = untimed or worst < BOUND_MS
    print(f"{name:18} ms until the sockets listen {told('start')}, until the VMMs are connected "
          f"{told('wait')}, first frames {told('frame')}; in all {told('outage')}"
          f"  ({'' if good else 'BROKEN '}bound {BOUND_MS} ms {bound_name})", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("switchd", type=Path)
    parser.add_argument("switchctl", type=Path)
    parser.add_argument("image", help="cache directory of the guest image")
    parser.add_argument("--rounds", type=int, default=5, help="kills, each kind of connection")
    parser.add_argument("--untimed", action="store_true", help="times are printed and not judged")
    arguments = parser.parse_args()
    turn_signals_into_exits()
    programs = Programs(arguments.switchd, arguments.switchctl)
    server = measure(programs, arguments.image, False, arguments.rounds)
    good = tell("QEMU, reconnect=1", server, "frame", "until the first frames", arguments.untimed)
    client = measure(programs, arguments.image, True, arguments.rounds)
    good &= tell("QEMU, server=on", client, "outage", "in all", arguments.untimed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
