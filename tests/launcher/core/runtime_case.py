"""What the tests of a running launcher share: a lab for each, and VMs without guests."""

import os
import signal
import socket
import subprocess
import unittest

from lab import Lab, processes_below, wait_for


def vm(name, behaviour="plain", more=""):
    """A [[vm]] of fake/fake_vmm.cc."""
    return f"""[[vm]]
name = "{name}"
kernel = "kernel"
vmm_program = "{os.environ['FAKE_VMM']}"
command_line = "{behaviour}"
memory = "16M"
{more}
"""


class LauncherCase(unittest.TestCase):
    PROGRAM = "FAKE_LAUNCHER"  # the variable that names it

    def setUp(self):
        self.lab = Lab(os.environ[self.PROGRAM])
        self.addCleanup(self.lab.close)
        (self.lab.path / "kernel").write_text("a kernel\n")

    def end(self, number=signal.SIGINT):
        self.assertEqual(self.lab.interrupt(number), 0, self.lab.said())
        self.assertEqual(self.lab.left_over(), [])
        self.assertFalse(self.lab.state.exists())

    def fails(self, text, *words, seconds=60):
        """`up` ends with status 1 and leaves nothing; what it said."""
        self.lab.up(text, wait=False)
        children = set()
        wait_for(lambda: children.update(processes_below(self.lab.process.pid))
                 or self.lab.process.poll() is not None, self.lab.said, seconds)
        self.assertEqual(self.lab.wait_end(children), 1, self.lab.said())
        self.assertEqual(self.lab.left_over(), [])
        for word in words:
            self.assertIn(word, self.lab.said())

    def begin(self, *words):
        """A command that goes on while the test does."""
        process = subprocess.Popen([self.lab.program, *words, "--state-dir", str(self.lab.state)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.lab.environment)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def refused(self, text, *words, options=()):
        """`up` ends with status 2 before it starts anything, and tells where and what."""
        path = self.lab.write(text)
        result = self.lab.run("up", path, *options, check=False)
        self.assertEqual(result.returncode, 2, result.stderr)
        for word in words:
            self.assertIn(word.replace("FILE", str(path)), result.stderr)
        self.assertEqual(self.lab.left_over(), [])

    def start_switch(self, *words, control=None):
        """A switch that is none of the launcher's, at switch.sock of the lab."""
        control = control or self.lab.path / "switch.sock"
        switch = subprocess.Popen(
            [os.environ["SWITCHD"], "--control-socket", str(control), "--state-file",
             str(self.lab.path / "ports.json"), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(switch.wait)
        self.addCleanup(switch.kill)
        # The file may be one that a switch which was killed has left.
        with socket.socket(socket.AF_UNIX) as client:
            wait_for(lambda: client.connect_ex(str(control)) == 0, "switch listens")
        return switch
