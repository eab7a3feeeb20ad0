"""The image of the guests: tests/vm's kernel, an init of their own, and what a power button needs.

Run as a program it builds the image: image.py DIRECTORY
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "vm"))

from lib.guest_image import WANTED_MODULES, GuestImage  # noqa: E402

INIT = Path(__file__).resolve().parent.parent / "guest/init"


def image(directory):
    return GuestImage(directory, init=INIT, modules=(*WANTED_MODULES, "virtio_blk", "button", "evdev"),
                      name="vmm.initramfs.gz")


if __name__ == "__main__":
    built = image(sys.argv[1]).build()
    print(f"kernel {built.kernel}\ninitramfs {built.initramfs}")
