"""The files of an image: taken from packages, from the directories beside this, or made here."""

import fnmatch
import lzma
import os
import subprocess
from pathlib import Path

from .cpio import Cpio
from .elf import is_elf, needed

MERGED = ("bin", "sbin", "lib", "lib64")  # are links into /usr, as in Debian itself
LIBRARY_DIRECTORIES = ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib")
# Loaded by name at run time, so that no program's header tells: pthread_cancel() needs it.
LOADED_AT_RUN_TIME = {"libc.so.6": "libgcc_s.so.1"}


class TreeError(RuntimeError):
    pass


def _merged(path):
    first = path.split("/")[0]
    return f"usr/{path}" if first in MERGED else path


class Tree:
    def __init__(self, packages):
        """`packages`: directory by package name, as PackageCache.unpack() returns."""
        self._entries = {}  # path: (kind, mode, content)
        self._sources = {}
        for root in packages.values():
            for path in sorted(Path(root).rglob("*")):
                if path.is_symlink() or path.is_file():
                    self._sources[_merged(str(path.relative_to(root)))] = path
        for name in MERGED:
            self.link(name, f"usr/{name}")

    def directory(self, path, mode=0o755):
        self._parents(path)
        self._entries[path] = ("directory", mode, b"")

    def file(self, path, data, mode=0o755):
        self._parents(path)
        self._entries[path] = ("file", mode, data)

    def link(self, path, target):
        self._parents(path)
        self._entries[path] = ("link", 0o777, target)

    def text(self, path, lines, mode=0o644):
        self.file(path, "".join(f"{line}\n" for line in lines).encode(), mode)

    def _parents(self, path):
        for parent in reversed(Path(path).parents[:-1]):
            self._entries.setdefault(str(parent), ("directory", 0o755, b""))

    def take(self, *patterns):
        """Files of the packages, by path or pattern, with the libraries they need."""
        for pattern in patterns:
            found = fnmatch.filter(self._sources, pattern)
            if not found:
                raise TreeError(f"no package has {pattern}")
            for path in found:
                self._take(path)

    def sources(self, pattern):
        """Paths of what packages have."""
        return sorted(fnmatch.filter(self._sources, pattern))

    def take_compressed(self, path):
        """As PATH.xz; a link leads to what is compressed as well."""
        source = self._sources.get(path)
        if source is None or f"{path}.xz" in self._entries:
            return
        if source.is_symlink():
            target = os.readlink(source)
            self.link(f"{path}.xz", f"{target}.xz")
            self.take_compressed(self._end(path, target))
            return
        # The kernel knows no other check.
        self.file(f"{path}.xz", lzma.compress(source.read_bytes(), check=lzma.CHECK_CRC32), 0o644)

    def _take(self, path):
        if path in self._entries:
            return
        source = self._sources[path]
        if source.is_symlink():
            self._take_link(path, os.readlink(source))
            return
        data = source.read_bytes()
        self.file(path, data, 0o755 if source.stat().st_mode & 0o100 else 0o644)
        if is_elf(data):
            for library in needed(data):
                self._take_library(library, path)

    def _take_link(self, path, target):
        self.link(path, target)
        self._take(self._end(path, target))

    @staticmethod
    def _end(path, target):
        return _merged(target.lstrip("/") if target.startswith("/") else
                       os.path.normpath(os.path.join(os.path.dirname(path), target)))

    def _take_library(self, name, user):
        if name.startswith("/"):  # the loader
            self.take(_merged(name[1:]))
            return
        for directory in LIBRARY_DIRECTORIES:
            if f"{directory}/{name}" in self._sources:
                self._take(f"{directory}/{name}")
                break
        else:
            raise TreeError(f"{user} needs {name}, which no package of the recipe has")
        if name in LOADED_AT_RUN_TIME:
            self._take_library(LOADED_AT_RUN_TIME[name], name)

    def overlay(self, directory):
        """All files below it, under their own paths; the executable bit is kept."""
        for path in sorted(Path(directory).rglob("*")):
            if path.is_file():
                mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                self.file(_merged(str(path.relative_to(directory))), path.read_bytes(), mode)

    def busybox(self):
        """Its commands, where no program of that name is in the image."""
        self.take("usr/bin/busybox")
        taken = {os.path.basename(path) for path in self._entries}
        listed = subprocess.run([self._sources["usr/bin/busybox"], "--list"], check=True, text=True,
                                capture_output=True).stdout.split()
        for name in sorted(set(listed) - taken):
            self.link(f"usr/bin/{name}", "busybox")

    def names(self):
        return sorted(self._entries)

    def cpio(self):
        archive = Cpio()
        for path in sorted(self._entries):
            kind, mode, content = self._entries[path]
            if kind == "link":
                archive.link(path, content)
            elif kind == "directory":
                archive.directory(path, mode)
            else:
                archive.file(path, content, mode)
        return archive.bytes()
