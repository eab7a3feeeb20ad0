"""The archive format of an initramfs ("newc", Documentation/driver-api/early-userspace/buffer-format)."""

import stat


class Cpio:
    """Same calls, same bytes: no times, owners or inode numbers of the machine it is written on."""

    def __init__(self):
        self._parts = []
        self._inode = 0

    def _add(self, name, mode, data):
        self._inode += 1
        name_bytes = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name_bytes), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [self._padded(header + name_bytes), self._padded(data)]

    @staticmethod
    def _padded(data):
        return data + b"\0" * (-len(data) % 4)

    def directory(self, name, mode=0o755):
        self._add(name, stat.S_IFDIR | mode, b"")

    def file(self, name, data, mode=0o755):
        self._add(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def bytes(self):
        self._add("TRAILER!!!", 0, b"")
        return b"".join(self._parts)
