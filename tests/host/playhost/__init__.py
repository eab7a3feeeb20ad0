"""A whole host inside a test: IOMMU, NICs, KVM and a far network, on any machine.

A QEMU guest without hardware acceleration plays the host. Its root is the root of the machine the
test runs on, read-only over 9p with a tmpfs above it, so it has every program and file of that
machine (the built tree too) under the same path, and nothing it writes reaches the machine.

  sandbox       namespaces around the whole test: when it dies, all it started dies with it
  kernel        Debian's kernel package, unpacked into a cache
  initramfs     the few modules it takes to reach the root by 9p
  far_network   DHCP, RA, DNS on the NIC's other side, and a machine two hops away with a capture
  tsc           how fast the machine's time stamp counter runs
  machine       the QEMU process, its devices and its life
  this_host     the machine itself in its place, for the demo where it has all that
  channel       commands run inside, with exit status, output and deadline
"""

from .channel import CommandFailed, Result
from .far_network import FarNetwork
from .machine import Machine, Nic

__all__ = ["CommandFailed", "FarNetwork", "Machine", "Nic", "Result"]
