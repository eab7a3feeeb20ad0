"""What the tests of vfio-setup share: a play host with these NICs, and words for its state.

    00:04.0           e1000e on the far network, alone in its IOMMU group
    shared: xx:00.0   e1000e  } one group, with the root port they sit behind
            xx:00.1   e1000e  }
    disk:   xx:00.0   e1000e  } one group likewise
            xx:00.1   NVMe    }
    00:07.0           xHCI controller with a USB NIC and a USB keyboard
"""

import json
import os
import pathlib

from host_case import FarCase
from playhost import Nic, machine

BUILD = pathlib.Path(os.environ["PLAYHOST_BUILD"])
VFIO_SETUP = BUILD / "vfio-setup/vfio-setup"
INTERRUPT = BUILD / "tests/host/interrupt/libinterrupt.so"

FAR_NIC = "0000:00:04.0"
FAR_MAC = "52:54:00:00:00:04"
SHARED = ["0000:01:00.0", "0000:01:00.1"]
DISK_NIC, DISK = "0000:02:00.0", "0000:02:00.1"
USB_CONTROLLER = "0000:00:07.0"


def nics() -> list[Nic]:
    return [Nic("pcie.0/4.0", FAR_MAC, "tap0"),
            Nic("shared/0.0", "52:54:00:00:01:00"), Nic("shared/0.1", "52:54:00:00:01:01"),
            Nic("disk/0.0", "52:54:00:00:02:00")]


def devices(directory: pathlib.Path) -> list[str]:
    image = directory / "nvme"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    return [*machine.shared_group_slot("shared", "pcie.0/5.0"),
            *machine.shared_group_slot("disk", "pcie.0/6.0"),
            "-drive", f"if=none,id=nvme,format=raw,file={image}",
            "-device", f"nvme,serial=play,drive=nvme,{machine.at('disk/0.1')}",
            "-device", f"qemu-xhci,id=usb,{machine.at('pcie.0/7.0')}",
            "-netdev", "user,id=usbnet,restrict=on", "-device", "usb-net,netdev=usbnet,bus=usb.0",
            "-device", "usb-kbd,bus=usb.0"]


class VfioCase(FarCase):
    """One play host for all tests of a class."""

    MACHINE_OPTIONS: dict = {}
    MORE_DEVICES: list[str] = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boot(nics(), devices=[*devices(cls.directory), *cls.MORE_DEVICES],
                 **cls.MACHINE_OPTIONS)

    def vfio(self, *words, status: int = 0, **options):
        """Runs vfio-setup and checks its exit status."""
        result = self.host.run(VFIO_SETUP, *words, check=False, **options)
        self.assertEqual(result.status, status, str(result))
        return result

    def listed(self, *words) -> dict:
        return json.loads(self.vfio("list", "--json", *words).out)

    def nic(self, address: str) -> dict:
        return next(d for d in self.listed("--all")["devices"] if d["address"] == address)

    def driver(self, address: str) -> str:
        link = self.host.run("readlink", f"/sys/bus/pci/devices/{address}/driver", check=False)
        return pathlib.Path(link.out.strip()).name

    def override(self, address: str) -> str:
        return self.host.read(f"/sys/bus/pci/devices/{address}/driver_override").strip()

    def interface(self, address: str) -> str:
        return self.host.run("ls", f"/sys/bus/pci/devices/{address}/net").out.strip()

    def bindings(self) -> list:
        state = self.host.run("cat", "/var/lib/vfio-setup/state.json", check=False).out
        return json.loads(state)["bindings"] if state else []

    def assert_as_before(self, *addresses: str):
        """The NICs are at their own driver, with nothing of ours left."""
        for address in addresses:
            self.assertEqual(self.driver(address), "e1000e", address)
            self.assertEqual(self.override(address), "(null)", address)
            self.assertTrue(self.interface(address))
        self.assertEqual(self.bindings(), [])

    def lease(self) -> str:
        """Address that the far network's DHCP server gives to the NIC's interface."""
        interface = self.interface(FAR_NIC)
        self.host.run("ip", "link", "set", interface, "up")
        self.host.run("busybox", "udhcpc", "-f", "-q", "-n", "-t", "20", "-T", "1", "-i", interface,
                      "-s", "/bin/true", timeout=60)
        self.assertIn(FAR_MAC, self.far.leases())
        return self.far.leases()[FAR_MAC]
