"""What the tests on a play host have in common: a far network, the host, a VMM by name."""

import os
import pathlib
import shutil
import sys
import unittest

from playhost import FarNetwork, Machine, machine
from scenario import PROGRAMS

CACHE = pathlib.Path(os.environ["PLAYHOST_CACHE"])
SKIPPED = 77


def vmm_to_test():
    """The first word of the command line; ends the test as skipped when its program is not there."""
    vmm = sys.argv.pop(1)
    if not shutil.which(PROGRAMS[vmm]):
        print(f"skipped: no {PROGRAMS[vmm]} on PATH")
        sys.exit(SKIPPED)
    return vmm


class FarCase(unittest.TestCase):
    """A directory and a far network for all tests of a class."""

    LANS = 1

    @classmethod
    def setUpClass(cls):
        temporary = machine.temporary_directory()
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        cls.far = FarNetwork(cls.directory, cls.LANS)
        cls.addClassCleanup(cls.far.close)

    @classmethod
    def boot(cls, nics, **options):
        """The play host, with these NICs towards that network."""
        cls.host = Machine(cls.directory, CACHE, nics, **options)
        cls.addClassCleanup(cls.host.close)
