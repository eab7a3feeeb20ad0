"""One switch and its guests in a temporary directory that goes with them.

    with Testbed(programs, image_directory) as testbed:
        switch = testbed.start_switch(["a", "b"])
        a, b = testbed.start_guests(["a", "b"])

Leaving the block ends every process and removes the directory, whatever happened; when it was left
by an error, the ends of all logs are printed first.
"""

import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path

from . import accelerator
from .deadline import wait_for
from .guest import Guest
from .guest_image import WANTED_MODULES, GuestImage
from .switch import Switch


class Testbed:
    def __init__(self, programs, image_directory):
        self._programs = programs
        self._image = GuestImage(image_directory).build()
        self.accelerator = accelerator.choose(self._image)
        self._guests = []
        self.switch = None
        # Short: a socket's path may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="swvm-"))

    def __enter__(self):
        return self

    def __exit__(self, error_type, _error, _traceback):
        self.close(failed=error_type is not None)

    def close(self, failed=False):
        for guest in self._guests:
            guest.stop()
        if self.switch:
            self.switch.stop()
        if failed:
            self.print_logs()
        shutil.rmtree(self.directory, ignore_errors=True)

    def print_logs(self):
        if self.switch and self.switch.process:
            print(f"--- switchd, status {self.switch.process.status}\n"
                  f"{self.switch.process.log_tail()}", file=sys.stderr)
        for guest in self._guests:
            print(f"--- guest {guest.name}: console\n{guest.console_tail()}\n--- guest "
                  f"{guest.name}: VMM, status {guest.process.status}\n"
                  f"{guest.process.log_tail()}", file=sys.stderr)

    def start_switch(self, ports, options=(), user=None):
        """`user`: whom switchd becomes after its start; needs root."""
        if user:
            account = pwd.getpwnam(user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            options = [*options, "--user", user]
        self.switch = Switch(self._programs, self.directory, ports, options).start()
        return self.switch

    @property
    def image(self):
        return self._image

    def tools_initramfs(self):
        """For guests that need ethtool, and of ip and tc more than busybox has: the shell takes its own
        unless told /bin/ip."""
        return GuestImage(self._image.directory, name="tools.gz", programs=("ethtool", "ip", "tc"),
                          modules=(*WANTED_MODULES, "sch_netem")).build().initramfs

    def start_guest(self, port, device="", more_ports=(), **options):
        """A guest on `port`; it is usable after its wait_ready(). `options` are those of Guest.
        `more_ports`: pairs of a port and properties of the device on it."""
        more_cards = [(self.switch.socket(other), properties) for other, properties in more_ports]
        guest = Guest(port, self.directory, self._image, self.accelerator,
                      self.switch.socket(port), len(self._guests) + 1, device,
                      more_cards=more_cards, **options)
        self._guests.append(guest)
        return guest.start()

    def start_twin(self, guest, port, paused=False):
        """A VMM on `port` that waits for `guest` to migrate into it."""
        twin = self.start_guest(port, twin=guest, paused=paused)
        wait_for(lambda: self.switch.query("port", "show", port)["state"] == "connected", 20,
                 f"the VMM on {port} connects")
        return twin

    def start_guests(self, ports, device="", **options):
        """Guests on all `ports`, booted."""
        guests = [self.start_guest(port, device, **options) for port in ports]
        return [guest.wait_ready() for guest in guests]
