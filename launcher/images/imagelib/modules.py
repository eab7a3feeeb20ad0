"""A kernel's modules with what they depend on, and the two lists that modprobe reads.

All of it is read from the modules themselves (the strings of .modinfo), so depmod is not needed.
"""

import lzma
import re
from pathlib import Path


class ModuleError(RuntimeError):
    pass


class Modules:
    """What is chosen of /lib/modules/RELEASE/kernel below `root`."""

    def __init__(self, root):
        [self._base] = Path(root, "lib/modules").iterdir()
        self.release = self._base.name
        self._files = {self._name(path): path for path in sorted(self._base.rglob("*.ko"))}
        self._builtin = {self._name(Path(line)) for line in
                         (self._base / "modules.builtin").read_text().split()}
        self._info = {}
        self._chosen = {}  # name: names it needs, dependencies first
        self._plain = set()

    @staticmethod
    def _name(path):
        return path.stem.replace("-", "_")

    def choose(self, *wanted):
        """By name, or by directory with a slash at its end ("drivers/net/ethernet/")."""
        for word in wanted:
            if word.endswith("/"):
                below = self._base / "kernel" / word
                for name in [n for n, path in self._files.items() if path.is_relative_to(below)]:
                    self._choose(name)
            elif word not in self._builtin:
                self._choose(word)

    def choose_plain(self, *names):
        """These, and what they need, are not compressed: modprobe loads them, which is quick."""
        for name in names:
            self._plain.update(self._choose(name))

    def firmware(self):
        """Names of the files that each chosen module may ask for."""
        for name in sorted(self._chosen):
            yield name, list(dict.fromkeys(self._strings(name, "firmware")))

    def _choose(self, name):
        """Adds the module; returns it with all it needs, in the order they are loaded."""
        if name in self._builtin:
            return []
        if name not in self._files:
            raise ModuleError(f"{self._base} has no module {name}")
        if name not in self._chosen:
            self._chosen[name] = []  # two may wish for each other
            order = [each for needed in self._needs(name) for each in self._choose(needed)]
            self._chosen[name] = [each for each in dict.fromkeys(order) if each != name]
        return [*self._chosen[name], name]

    def _needs(self, name):
        """What it is linked to, and what it wishes to be there first (softdep: "pre: A B post: C"):
        r8169 gives up without realtek. Wishes may be for what this kernel has not, or has by alias."""
        for text in self._strings(name, "depends"):
            yield from (word.replace("-", "_") for word in text.split(",") if word)
        for text in self._strings(name, "softdep"):
            wishes = text.partition("pre:")[2].partition("post:")[0].split()
            yield from (word.replace("-", "_") for word in wishes
                        if word.replace("-", "_") in self._files)

    def _strings(self, name, key):
        if name not in self._info:
            data = self._files[name].read_bytes()
            self._info[name] = re.findall(rb"\0(depends|alias|softdep|firmware)=([^\0]*)(?=\0)", data)
        return [value.decode() for found, value in self._info[name] if found.decode() == key]

    def _path(self, name):
        suffix = "" if name in self._plain else ".xz"
        return f"{self._files[name].relative_to(self._base)}{suffix}"

    def _dependencies(self):
        for name, needed in self._chosen.items():
            yield f"{self._path(name)}: {' '.join(self._path(n) for n in reversed(needed))}".strip()

    def _aliases(self):
        for name in self._chosen:
            for alias in dict.fromkeys(self._strings(name, "alias")):
                yield f"alias {alias} {name}"

    def add_to(self, tree):
        """Modules are compressed one by one, and stay so in the guest's memory."""
        base = f"usr/lib/modules/{self.release}"
        for name in sorted(self._chosen):
            data = self._files[name].read_bytes()
            if name not in self._plain:
                data = lzma.compress(data, check=lzma.CHECK_CRC32, preset=1)
            tree.file(f"{base}/{self._path(name)}", data, 0o644)
        tree.text(f"{base}/modules.dep", sorted(self._dependencies()))
        tree.text(f"{base}/modules.alias", sorted(self._aliases()))
        tree.text(f"{base}/modules.builtin", (self._base / "modules.builtin").read_text().split())
