"""switchd goes and comes back: guests reconnect and forward again, and none was rebooted."""

from lib.testcase import VmTestCase


class SwitchRestart(VmTestCase):
    def setUp(self):
        super().setUp()
        self.switch = self.testbed.start_switch(["a", "b"])
        self.a, self.b = self.testbed.start_guests(["a", "b"])
        self.assert_forwards(self.a, self.b)

    def assert_guests_survived(self):
        self.assert_forwards(self.a, self.b)
        self.assertEqual(self.a.current_boot_id(), self.a.boot_id)
        self.assertEqual(self.b.current_boot_id(), self.b.boot_id)

    def test_after_sigterm(self):
        self.switch.terminate()
        self.switch.start()
        self.assert_guests_survived()
        self.assert_file_arrives(self.a, self.b, size=5_000_000)

    def test_after_sigkill_under_traffic(self):
        lasts = self.a.start_ping(self.b, count=200, size=1400, interval=0.02)
        self.switch.kill()
        self.switch.start()
        self.a.finish_ping(lasts)  # what was on its way while there was no switch is lost
        self.assert_guests_survived()
        self.assert_file_arrives(self.a, self.b, size=5_000_000)

    def test_port_added_at_run_time_is_there_again(self):
        self.switch.command("port", "add", "c", "--socket-path", self.switch.socket("c"))
        [c] = self.testbed.start_guests(["c"])
        self.assert_forwards(c, self.a)
        self.switch.terminate()
        self.switch.start()
        self.assert_guests_survived()
        self.assert_forwards(c, self.a)
        self.assertEqual(c.current_boot_id(), c.boot_id)
