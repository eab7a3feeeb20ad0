#!/usr/bin/env python3
"""The scenario as a demo: the NIC goes to a router VM, an application VM reaches a machine beyond
it, and everything is given back. Exit status 0 when all of it worked; nothing is left either way.

demo.py BUILD-DIRECTORY IMAGES CACHE [--far NAME]

On this machine where it has KVM, an IOMMU and exactly one NIC that can be passed; the application
VM then pings NAME. Else in a host that QEMU plays, with a network of its own.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from playhost import FarNetwork, Machine, Nic, machine, sandbox
from playhost.this_host import ThisHost
from scenario import NIC_MAC, SINK_PORT, UP_WITHIN, Scenario

ENDS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
GIVE_BACK_AFTER = f"{UP_WITHIN + 60}s"

class Steps:
    """Says what is being done, and since when."""

    def __init__(self):
        self._start = time.monotonic()

    def say(self, text):
        first, *rest = text.splitlines() or [""]
        lines = [f"[{time.monotonic() - self._start:5.1f} s] {first}"]
        lines += [f"          {line}" for line in rest]
        try:
            print(*lines, sep="\n", flush=True)
        except OSError:  # a terminal that has gone must not keep the NIC from going back
            sys.stdout = open(os.devnull, "w")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("build", "images", "cache"):
        parser.add_argument(name, type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--far", default="debian.org", metavar="NAME")
    return parser.parse_args()


def own_nic(build):
    """Address of this machine's one NIC that can be passed, if it can pass any."""
    program = build / "vfio-setup/vfio-setup"
    checked = subprocess.run([program, "check"], capture_output=True, text=True)
    if checked.returncode or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return None
    listed = subprocess.run([program, "list", "--json"], capture_output=True, check=True, text=True)
    able = [device["address"] for device in json.loads(listed.stdout)["devices"]
            if device["nic"] and device["verdict"]["can_be_passed"]]
    return able[0] if len(able) == 1 else None


class Ended(BaseException):
    """By a signal."""


def end_by_signal(number, _):
    for end in ENDS:
        signal.signal(end, signal.SIG_IGN)  # the way back is not cut short
    raise Ended(signal.Signals(number).name)


def run_here(story, arguments):
    """The terminal may well be a connection over the very NIC: should this program be killed, or
    the machine not be reached any more, the NIC comes back by itself."""
    for end in ENDS:
        signal.signal(end, end_by_signal)
    done = False
    try:
        story.take_nic(confirm_within=GIVE_BACK_AFTER)
        story.up(("app1", "app2"))
        story.keep_nic()
        story.check_users()
        story.check_strangers()
        story.say(f"app1 ({story.address('app1')}) pings {arguments.far}")
        story.say(story.in_guest("app1", f"ping -4 -c 3 -W 5 {arguments.far}"))
        story.down()
        done = True
    finally:
        if done:
            story.restore_nic()
        else:
            story.abandon()


def run_in_play_host(steps, arguments):
    with machine.temporary_directory() as name:
        directory = pathlib.Path(name)
        steps.say("Making the far network: DHCP, RA, DNS behind the NIC, a machine two hops away")
        far = FarNetwork(directory)
        try:
            far.serve_tcp(SINK_PORT)
            steps.say("Booting the play host: IOMMU, an e1000e, KVM; its root is this machine's")
            nics = [Nic("pcie.0/4.0", NIC_MAC, "tap0")]
            with Machine(directory, arguments.cache, nics, memory=3072, runs_vms=True) as host:
                tell(steps, Scenario(host, far, arguments.build, arguments.images, say=steps.say))
        finally:
            far.close()


def tell(steps, story):
    story.prepare()
    story.take_nic()
    try:
        story.up(("app1", "app2"))
        story.check_host_is_bare()
        story.check_users()
        story.check_strangers()
        story.ping_far("app1")
        story.send_far("app1")
        story.down()
    except BaseException:
        steps.say(story.logs())
        raise
    story.give_nic_back()


def main():
    arguments = parse()
    steps = Steps()
    in_sandbox = os.getpid() == 1
    nic = None if in_sandbox else own_nic(arguments.build)
    if nic:
        run_here(Scenario(ThisHost(), None, arguments.build, arguments.images, say=steps.say,
                          nic=nic), arguments)
    else:
        sandbox.enter()
        run_in_play_host(steps, arguments)
    steps.say("All of it worked")


if __name__ == "__main__":
    main()
