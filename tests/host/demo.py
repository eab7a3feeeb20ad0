#!/usr/bin/env python3
"""The scenario as a demo, in the play host: the NIC goes to a router VM, an application VM reaches a
machine beyond it, and everything is given back. demo.py BUILD-DIRECTORY IMAGES CACHE

Exit status 0 when all of it worked; nothing is left behind either way.
"""

from playhost import sandbox

sandbox.enter()

import pathlib
import sys
import time

from playhost import FarNetwork, Machine, Nic, machine
from scenario import NIC_MAC, SINK_PORT, Scenario


class Steps:
    """Says what is being done, and since when."""

    def __init__(self):
        self._start = time.monotonic()

    def say(self, text):
        first, *rest = text.splitlines() or [""]
        print(f"[{time.monotonic() - self._start:5.1f} s] {first}", flush=True)
        for line in rest:
            print(f"          {line}", flush=True)


def run(steps, host, far, build, images):
    story = Scenario(host, far, build, images, say=steps.say)
    story.prepare()
    story.take_nic()
    try:
        story.up(("app1", "app2"))
        story.check_host_is_bare()
        story.check_users()
        story.ping_far("app1")
        story.send_far("app1")
        story.down()
    except BaseException:
        steps.say(story.logs())
        raise
    story.give_nic_back()
    steps.say("All of it worked")


def main(build, images, cache):
    steps = Steps()
    with machine.temporary_directory() as name:
        directory = pathlib.Path(name)
        steps.say("Making the far network: DHCP, RA and DNS behind the NIC, a machine two hops away")
        far = FarNetwork(directory)
        try:
            far.serve_tcp(SINK_PORT)
            steps.say("Booting the play host: IOMMU, an e1000e, KVM; its root is this machine's")
            nics = [Nic("pcie.0/4.0", NIC_MAC, "tap0")]
            with Machine(directory, cache, nics, memory=3072) as host:
                run(steps, host, far, build, images)
        finally:
            far.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
