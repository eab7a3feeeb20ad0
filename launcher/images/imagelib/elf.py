"""Which shared libraries a program or library needs (ELF-64, little endian; System V gABI ch. 5)."""

import struct

PT_DYNAMIC, PT_INTERP, PT_LOAD = 2, 3, 1
DT_NULL, DT_NEEDED, DT_STRTAB = 0, 1, 5


def is_elf(data):
    return data[:6] == b"\x7fELF\x02\x01"


def _segments(data):
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _flags, start, address, _, length = struct.unpack_from(
            "<IIQQQQ", data, offset + number * size)
        yield kind, start, address, length


def _text(data, start):
    return data[start:data.index(b"\0", start)].decode()


def _dynamic(data, start, length):
    for at in range(start, start + length, 16):
        tag, value = struct.unpack_from("<QQ", data, at)
        if tag == DT_NULL:
            return
        yield tag, value


def needed(data):
    """Names of the libraries, and first, where there is one, the path of the loader."""
    segments = list(_segments(data))
    names = [_text(data, start) for kind, start, _, _ in segments if kind == PT_INTERP]
    for kind, start, _, length in segments:
        if kind != PT_DYNAMIC:
            continue
        entries = list(_dynamic(data, start, length))
        table = next(value for tag, value in entries if tag == DT_STRTAB)
        # The table's address is one in memory; the segment that holds it tells the offset.
        strings = next(table - address + offset for sort, offset, address, size in segments
                       if sort == PT_LOAD and address <= table < address + size)
        names += [_text(data, strings + value) for tag, value in entries if tag == DT_NEEDED]
    return names
