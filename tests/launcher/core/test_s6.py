"""The service directories for s6, under the real s6-supervise: ready, restarted, ended."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

from runtime_case import LauncherCase, vm

PACKAGED = Path(__file__).resolve().parents[3] / "packaging/s6"
LIMIT = "60000"  # milliseconds


class Supervised(LauncherCase):
    def setUp(self):
        super().setUp()
        # In the place of what an installation has: one that uses the lab's state directory.
        program = self.lab.path / "bin/launcher"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {self.lab.program} "$@" --state-dir {self.lab.state} '
                           f'$SWITCHD_OPTION\n')
        program.chmod(0o755)
        (self.lab.path / "launcher").mkdir()

    def supervise(self, packaged, name, option=""):
        """A copy of the packaged directory, run as service `name`."""
        directory = self.lab.path / name
        shutil.copytree(PACKAGED / packaged, directory)
        run = directory / "run"
        run.write_text((directory / "run.in").read_text()
                       .replace("@bin@", str(self.lab.path / "bin"))
                       .replace("@etc@", str(self.lab.path)))
        run.chmod(0o755)
        log = open(self.lab.output, "wb")
        self.addCleanup(log.close)
        supervisor = subprocess.Popen(
            ["s6-supervise", directory], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=dict(self.lab.environment, SWITCHD_OPTION=option))
        self.addCleanup(supervisor.wait)
        self.addCleanup(subprocess.run, ["s6-svc", "-dx", directory], check=False)
        self.wait(directory, "-U")
        return directory

    def wait(self, directory, event, send=None):
        """Until the service is ready (-U), down (-D), ready anew (-R); `send` is what to ask for."""
        words = ["s6-svc", f"-w{event[1:]}", f"-T{LIMIT}", *send, directory] if send else [
            "s6-svwait", event, "-t", LIMIT, directory]
        # Of a service that was not supervised yet there is nothing to wait for.
        script = 'until s6-svok "$0"; do sleep 0.05; done; exec "$@"'
        done = subprocess.run(["timeout", "70", "sh", "-c", script, directory, *words],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + self.lab.said())

    def launcher(self, directory):
        return int(subprocess.run(["s6-svstat", "-o", "pid", directory], capture_output=True,
                                  text=True, check=True).stdout)

    def test_topology(self):
        self.write("topology.toml", vm("a"))
        service = self.supervise("launcher", "vms", f"--switchd {os.environ['SWITCHD']}")
        self.assertEqual(self.lab.vm("a")["state"], "running")
        first = self.launcher(service)
        self.wait(service, "-R", ["-k"])  # killed, and ready again
        self.assertNotEqual(self.launcher(service), first)
        self.assertEqual(self.lab.vm("a")["state"], "running")
        self.wait(service, "-D", ["-d"])
        self.assertEqual(self.lab.left_over(), [])
        self.assertFalse(self.lab.state.exists())

    def test_one_vm(self):
        self.start_switch()
        control = self.lab.path / "switch.sock"
        self.write("vms.toml", f'[switch]\ncontrol_socket = "{control}"\n' + vm("a") + vm("b"))
        service = self.supervise("launcher-vm", "launcher-vm-b")
        self.assertEqual([one["name"] for one in self.lab.status()["vms"]
                          if one["state"] == "running"], ["b"])
        self.wait(service, "-D", ["-d"])
        self.assertFalse(self.lab.state.exists())

    def write(self, name, text):
        (self.lab.path / "launcher" / name).write_text(text.replace(
            'kernel = "kernel"', f'kernel = "{self.lab.path}/kernel"'))


if __name__ == "__main__":
    unittest.main()
