"""How fast the time stamp counter runs.

Emulation hands it through as it is, and a guest that measures it on a busy machine, against a timer
of QEMU's that comes late, is easily wrong by a factor of three: all its clocks run wrong then.
"""

import ctypes
import mmap
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ = bytes.fromhex("0f31" "48c1e220" "4809d0" "c3")
_MEASURE = 0.1  # seconds


def khz() -> int:
    rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    with mmap.mmap(-1, mmap.PAGESIZE, prot=rights) as page:
        page.write(_READ)
        code = ctypes.c_char.from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))
        first = _pair(read)
        time.sleep(_MEASURE)
        last = _pair(read)
        del code  # else the page stays
    return round((last[1] - first[1]) * 1e6 / (last[0] - first[0]))


def _pair(read) -> tuple[int, int]:
    """Nanoseconds and counter of one moment: the closest of several readings."""
    def one():
        before = time.monotonic_ns()
        counter = read()
        after = time.monotonic_ns()
        return after - before, (before + after) // 2, counter
    return min(one() for _ in range(20))[1:]
