"""Memory is plugged into a running guest, used for its traffic, and unplugged again.

A back-end has eight regions (vhost-user specification, SET_MEM_TABLE); QEMU makes one of the memory
that the guest boots with, and one of each DIMM.
"""

from lib.deadline import wait_for
from lib.testcase import VmTestCase

DIMM = 128 << 20
DIMMS = ("one", "two", "three", "four", "five", "six", "seven")
FILE_BYTES = 1_000_000


class MemoryHotplug(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(["a", "b"])
        self.a = self.testbed.start_guest("a")
        self.b = self.testbed.start_guest("b", pluggable=True)
        self.a.wait_ready()
        self.b.wait_ready()
        self.assert_forwards(self.a, self.b)

    def tables(self):
        """Memory tables in the port's history."""
        return self.switch.command("port", "show", "b", "--messages").count("SET_MEM_TABLE")

    def await_memory(self, more_than):
        wait_for(lambda: self.b.memory_kib() > more_than, 30, "the guest has the memory")

    def test_under_traffic(self):
        before, tables = self.b.memory_kib(), self.tables()
        lasts = self.a.start_ping(self.b, count=900, size=1400, interval=0.05)
        for count, name in enumerate(DIMMS, start=1):
            self.b.plug_memory(name, DIMM)
            self.await_memory(before + count * (DIMM >> 10) * 3 // 4)
            self.assert_file_arrives(self.a, self.b, size=FILE_BYTES)
        self.assertIn("8 regions", self.switch.command("port", "show", "b", "--messages"))
        # More than the guest had at first: what was plugged in holds a part of it.
        self.b.run("mkdir /tmp/all && mount -t tmpfs -o size=400m none /tmp/all && "
                   "dd if=/dev/zero of=/tmp/all/filled bs=1M count=300 && umount /tmp/all")
        for name in reversed(DIMMS):
            self.b.unplug_memory(name)
            self.assert_file_arrives(self.b, self.a, size=FILE_BYTES)
        self.assertLess(self.b.memory_kib(), before + (DIMM >> 10) // 2)
        result = self.a.finish_ping(lasts)
        print(f"{self.tables() - tables} memory tables, {result.lost} of {result.sent} pings lost")
        self.assertGreaterEqual(self.tables() - tables, 2 * len(DIMMS))
        # A frame that comes while the rings stand still for a change is lost.
        self.assertLessEqual(result.lost, 2 * len(DIMMS))
        self.assert_forwards(self.a, self.b)
        self.assertEqual(self.b.current_boot_id(), self.b.boot_id)
