"""switchd beside its rivals, in paired rounds. See perf/README.md for the method."""

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile

import cells
import switches
import table
from hugepages import HugepageError, Hugepages
from packages import PackageError

HUGEPAGES = {"switchd": 0, "switchd-packed": 0, "ovs": 560, "ovs-tso": 560, "testpmd": 160,
             "vpp": 80}


def parse(arguments):
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="perf/compare", description="Measures switchd beside Open vSwitch with DPDK, "
        "dpdk-testpmd (forwarding blindly) and VPP's bridge: cycles a frame inside each, in short "
        "rounds that take turns, as medians of the ratios. Wants root and hugepages for the "
        "rivals; what is missing comes from Debian's packages, is not installed, and goes again.")
    parser.add_argument("--build", default="build/release", metavar="DIR",
                        help="build directory with switchd and switch-bench (%(default)s)")
    parser.add_argument("--vpp", metavar="DIR", help="prefix of an installed VPP (bin/, lib/)")
    parser.add_argument("--switches", default="switchd,ovs,testpmd,vpp", metavar="NAME,...",
                        help="which (%(default)s; vpp only with --vpp; also ovs-tso, which is ovs "
                        "with userspace-tso-enable, and switchd-packed: packed rings)")
    parser.add_argument("--cells", default="", metavar="NAME,...",
                        help="of " + ", ".join(cell.name for cell in cells.PLAIN) + " (all)")
    parser.add_argument("--shapes", default=",".join(cells.SHAPES), metavar="NAME,...",
                        help="descriptors (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each cell (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="measured a round (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=0.5, help="before it (%(default)s)")
    parser.add_argument("--cpu", type=int, default=cpus[-1], help="of the switch (last allowed)")
    parser.add_argument("--load-cpu", type=int, default=cpus[0],
                        help="of the guests and all else (first allowed)")
    parser.add_argument("--json", default="compare.json", metavar="FILE",
                        help="all results (%(default)s)")
    options = parser.parse_args(arguments)
    options.build = os.path.abspath(options.build)
    options.switches = [name for name in options.switches.split(",")
                        if name != "vpp" or options.vpp]
    known = {cell.name for cell in cells.PLAIN}
    options.cells = [name for name in options.cells.split(",") if name]
    for name in options.cells:
        if name not in known:
            parser.error(f"there is no cell {name}; there are {', '.join(sorted(known))}")
    for name in options.switches:
        if name not in HUGEPAGES:
            parser.error(f"there is no switch {name}; there are {', '.join(HUGEPAGES)}")
    if options.cpu == options.load_cpu:
        parser.error("the switch and the load need a CPU each")
    return options


def make_switch(name, options, directory, ports):
    common = (directory, ports, options.cpu, options.load_cpu)
    ours = {"switchd": switches.Switchd, "switchd-packed": switches.SwitchdPacked}
    if name in ours:
        return ours[name](os.path.join(options.build, "switchd", "switchd"), *common)
    if name == "vpp":
        return switches.Vpp(os.path.abspath(options.vpp), *common)
    return {"ovs": switches.OpenVSwitch, "ovs-tso": switches.OpenVSwitchTso,
            "testpmd": switches.Testpmd}[name](*common)


def measure(switch, cell, options):
    """One round of one switch: everybody else is stopped."""
    result_file = os.path.join(switch.directory, "result.json")
    arguments = [os.path.join(options.build, "perf", "bench", "switch-bench"), "run",
                 "--cpu", str(options.load_cpu), "--switch-cpu", str(options.cpu),
                 "--seconds", str(options.seconds), "--warm-up", str(options.warm_up),
                 "--json", result_file, "--ring", switch.ring, *switch.probe(),
                 *cell.for_switch(switch).arguments()]
    for path in switch.sockets():
        arguments += ["--socket", path]
    if switch.connects:
        arguments.append("--listen")
    switch.resume()
    try:
        switch.before_run()
        run = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True, timeout=120, check=False)
        if run.returncode != 0:
            raise switches.SwitchError(f"{switch.name}, {cell.title()}: {run.stderr.strip()}\n"
                                       f"{switch.log_end()}")
        with open(result_file, encoding="utf-8") as file:
            result = json.load(file)
        switch.after_run(result)
        return result
    finally:
        switch.pause()


def measure_cell(cell, running, options):
    able = [switch for switch in running if switch.all_patterns or cell.pattern == "pair"]
    rounds = []
    for number in range(options.rounds):
        results = {}
        # Another one begins in each round: what comes first in a round is not always the same.
        shift = number % len(able)
        for switch in able[shift:] + able[:shift]:
            print(f"\r\033[K{cell.title()}: round {number + 1} of {options.rounds}, {switch.name}",
                  end="", file=sys.stderr, flush=True)
            results[switch.name] = measure(switch, cell, options)
        rounds.append({switch.name: results[switch.name] for switch in able})
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return rounds


def start_all(stack, options, directory, ports):
    running = []
    for name in options.switches:
        print(f"\r\033[Kstarting {name} with {ports} ports", end="", file=sys.stderr, flush=True)
        switch = make_switch(name, options, directory, ports)
        stack.callback(switch.close)
        switch.start()
        switch.pause()
        running.append(switch)
    return running


def compare(options):
    document = {"options": vars(options), "cells": []}
    wanted = cells.select(options.cells, options.shapes.split(","))
    pages = sum(HUGEPAGES[name] for name in options.switches)
    with tempfile.TemporaryDirectory(prefix="compare-") as directory, Hugepages(pages):
        for ports, group in itertools.groupby(wanted, lambda cell: cell.ports):
            with contextlib.ExitStack() as stack:
                running = start_all(stack, options, directory, ports)
                for cell in group:
                    rounds = measure_cell(cell, running, options)
                    print(table.cell_text(cell, rounds), end="\n\n", flush=True)
                    document["cells"].append({
                        "cell": cell.title(), "rounds": rounds,
                        "summary": {name: table.summary(cell, rounds, name) for name in rounds[0]}})
                    with open(options.json, "w", encoding="utf-8") as file:
                        json.dump(document, file, indent=1)
    print(f"all results: {options.json}")


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        compare(options)
    except KeyboardInterrupt:
        print("\ninterrupted; everything is cleaned up", file=sys.stderr)
        return 130
    except (HugepageError, PackageError, switches.SwitchError, OSError) as error:
        print(f"\nperf/compare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
