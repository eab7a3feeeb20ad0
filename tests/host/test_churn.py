#!/usr/bin/env python3
"""Clients come and go behind a router, and the router is killed, again and again: nothing is left of
one that is gone, and each gets the address it had, which no other gets meanwhile.

The launcher, the switch and QEMU guests, here: no play host. CHURN_TIMES is how often a client goes
(two at a time; 4 when it is not set). A line a round tells how long it took.
"""

from playhost import sandbox

sandbox.enter()

import json
import os
import pathlib
import random
import signal
import time
import unittest

from playhost import machine
from playhost.this_host import ThisHost
from scenario import Scenario

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
IMAGES = pathlib.Path(os.environ["GUEST_IMAGES"])
TIMES = int(os.environ.get("CHURN_TIMES", "4"))
CLIENTS = ("app1", "app2", "app3", "app4")
GOING = 2  # clients a round
ROUTER_KILLED_EACH = 5  # rounds, and after the last one
FORGOTTEN_WITHIN = 60  # seconds; the router looks each two and asks three times


class Churn(unittest.TestCase):
    def setUp(self):
        temporary = machine.temporary_directory()
        self.addCleanup(temporary.cleanup)
        self.story = Scenario(ThisHost(), None, BUILD, IMAGES, nic=None, name="churn",
                              files=temporary.name, say=lambda text: print(text, flush=True))
        self.random = random.Random(7)

    def test_clients_come_and_go(self):
        self.story.up(CLIENTS)
        try:
            self.before = {name: self.addresses(name) for name in CLIENTS}
            for number in range(1, TIMES // GOING + 1):
                self.round(number)
                if number % ROUTER_KILLED_EACH == 0 or number == TIMES // GOING:
                    self.kill_router()
            self.story.down()
        except BaseException:
            print(self.story.logs(), flush=True)
            raise

    def round(self, number):
        start = time.monotonic()
        going = self.random.sample(CLIENTS, GOING)
        for name in going:
            self.story.in_guest(name, "nslookup router.internal; ping -c 1 -W 5 10.64.0.1")
            self.assertNotEqual(self.traces(name), "")
        for name in going:
            self.story.launch("stop", name, timeout=200)
        for name in going:
            self.wait_forgotten(name)
        gone = time.monotonic()
        self.story.launch("start", *going, timeout=400)
        self.check_addresses(going)
        print(f"round {number}: {' and '.join(going)} went, nothing was left of them after "
              f"{gone - start:.0f} s; back as they were after {time.monotonic() - gone:.0f} s",
              flush=True)

    def addresses(self, name):
        return self.story.address(name), self.story.address(name, 6)

    def traces(self, name):
        """What the router knows of a client: neighbours, lease, connections, name."""
        four, six = self.before[name]
        return self.story.in_guest("router", f"""
            ip neighbour show | grep -F -e '{four} ' -e '{six} '
            grep -F -e ' {four} ' -e ' {six} ' /run/dnsmasq.leases
            (conntrack -L; conntrack -L -f ipv6) 2>/dev/null | grep -F -e '={four} ' -e '={six} '
            nslookup {name}.internal 127.0.0.1 | grep -F {four}""", check=False)

    def wait_forgotten(self, name):
        deadline = time.monotonic() + FORGOTTEN_WITHIN
        while left := self.traces(name):
            self.assertLess(time.monotonic(), deadline, left)

    def check_addresses(self, names):
        for name in names:
            self.story.until_in_guest(name, "ping -c 1 -W 2 10.64.0.1 >/dev/null", 120)
        self.assertEqual({name: self.addresses(name) for name in names},
                         {name: self.before[name] for name in names})
        leased = [line.split()[2] for line in
                  self.story.in_guest("router", "cat /run/dnsmasq.leases").splitlines()
                  if len(line.split()) > 4]
        self.assertEqual(len(leased), len(set(leased)), leased)

    def kill_router(self):
        start = time.monotonic()
        pid = self.router()["pid"]
        os.kill(pid, signal.SIGKILL)
        # One that has just ended has no process, and may still be called running.
        while (shown := self.router())["state"] != "running" or shown["pid"] in (None, pid):
            self.assertLess(time.monotonic(), start + 300, shown)
        self.check_addresses(CLIENTS)
        print(f"the router was killed and is back after {time.monotonic() - start:.0f} s; all have "
              "the addresses they had", flush=True)

    def router(self):
        status = json.loads(self.story.launch("status", "--json").out)
        return next(vm for vm in status["vms"] if vm["name"] == "router")


if __name__ == "__main__":
    unittest.main()
