"""KVM when a guest really boots with it, TCG when not.

The answer is kept beside the guest image for as long as the host is up. SWITCHD_VM_ACCELERATOR
(kvm or tcg) overrides it. Run as a program: accelerator.py IMAGE-DIRECTORY
"""

import os
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.guest import accelerator_works  # noqa: E402
from lib.guest_image import GuestImage  # noqa: E402


def choose(image):
    forced = os.environ.get("SWITCHD_VM_ACCELERATOR")
    if forced:
        return forced
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    answer = image.directory / "accelerator"
    key = f"{boot_id} {os.getuid()}"
    if answer.exists():
        known_key, _, known = answer.read_text().rpartition(" ")
        if known_key == key:
            return known.strip()
    chosen = _probe(image)
    answer.write_text(f"{key} {chosen}\n")
    return chosen


def _probe(image):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with tempfile.TemporaryDirectory(prefix="swvm-") as directory:
        return "kvm" if accelerator_works("kvm", directory, image) else "tcg"


if __name__ == "__main__":
    print(choose(GuestImage(sys.argv[1]).build()))
