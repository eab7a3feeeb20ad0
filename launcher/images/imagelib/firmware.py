"""Firmware that modules name (MODULE_FIRMWARE), of what the packages have.

What none names is left out: the packages hold that of hundreds of devices, most of it for other
drivers. Each file is compressed by itself, as Linux finds it (CONFIG_FW_LOADER_COMPRESS_XZ).
"""

import fnmatch
import re

DIRECTORY = "usr/lib/firmware"
# Asked for but not named by the driver: data of a card's radio that goes with its firmware.
UNNAMED = {"iwlwifi": ["iwlwifi-*.pnvm"]}
# No VM is given an SDIO card, or one of PCMCIA.
NEVER_THERE = re.compile(r".*(_sdio|_cs)|.*-sdio\..*")


class Firmware:
    def __init__(self, tree):
        self._tree = tree
        self._have = {path[len(DIRECTORY) + 1:] for path in tree.sources(f"{DIRECTORY}/*")}
        self.missing = {}  # module: names that no package has

    def take(self, module, names):
        if NEVER_THERE.fullmatch(module):
            return
        names = [name for name in names if not NEVER_THERE.fullmatch(name)]
        for name in [*names, *UNNAMED.get(module, [])]:
            if f"{DIRECTORY}/{name}" in self._tree.names():
                continue
            found = self._find(name)
            for each in found:
                self._tree.take_compressed(f"{DIRECTORY}/{each}")
            if not found and name in names:
                self.missing.setdefault(module, []).append(name)

    def _find(self, name):
        if "*" in name:
            return sorted(fnmatch.filter(self._have, name))
        return [name] if name in self._have else self._older(name)

    def _older(self, name):
        """iwlwifi names the newest version it knows, and tries one after the other from there down."""
        parts = re.fullmatch(r"(iwlwifi-.*-)(\d+)(\.ucode)", name)
        if not parts:
            return []
        versions = [int(found[1]) for each in self._have
                    if (found := re.fullmatch(re.escape(parts[1]) + r"(\d+)\.ucode", each))]
        older = [version for version in versions if version < int(parts[2])]
        return [f"{parts[1]}{max(older)}{parts[3]}"] if older else []
