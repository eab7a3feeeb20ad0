"""Debian packages, downloaded into a cache directory and unpacked there. Nothing is installed."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

APT = ("apt-get", "-q", "-o", "APT::Sandbox::User=root")  # may write where the caller may


class PackageError(RuntimeError):
    """A package that cannot be had; the message holds what apt said."""


def _apt(*words, directory):
    result = subprocess.run([*APT, *words], cwd=directory, text=True, capture_output=True,
                            check=False)
    if result.returncode:
        raise PackageError(f"apt-get {' '.join(words)}: {result.stderr.strip()}\n"
                           "Are package lists there (apt-get update) and the network?")
    return result.stdout


def kernel_package(meta):
    """The package that holds the kernel of the day, behind an empty one like linux-image-amd64."""
    shown = subprocess.run(["apt-cache", "depends", "--no-recommends", "--no-suggests", meta],
                           text=True, capture_output=True, check=False).stdout
    found = re.search(r"Depends: (linux-image-\d\S*)", shown)
    if not found:
        raise PackageError(f"apt knows no kernel behind {meta}: run apt-get update")
    return found[1]


def known(name):
    """Whether apt could install it: firmware is in an archive area that is often left out."""
    shown = subprocess.run(["apt-cache", "policy", name], text=True, capture_output=True,
                           check=False).stdout
    return "Candidate: " in shown and "Candidate: (none)" not in shown


class PackageCache:
    def __init__(self, directory):
        self._archives = Path(directory, "archives").absolute()
        self._unpacked = Path(directory, "unpacked").absolute()
        for each in (self._archives, self._unpacked):
            each.mkdir(parents=True, exist_ok=True)

    def unpack(self, names):
        """Directory by package name, each with the files of that package's candidate version."""
        return {name: self._unpack(archive) for name, archive in self._fetch(names).items()}

    def _fetch(self, names):
        wanted = self._candidates(names)
        missing = [name for name, (file, digest) in wanted.items() if not self._has(file, digest)]
        if missing:
            _apt("download", *missing, directory=self._archives)
        for file, digest in wanted.values():
            if not self._has(file, digest):
                raise PackageError(f"{self._archives / file} is not what apt's lists describe")
        return {name: self._archives / file for name, (file, _) in wanted.items()}

    def _candidates(self, names):
        """File name and SHA-256 of each package's candidate version, as apt's lists tell them."""
        ask = ("download", "--print-uris", *names)
        with tempfile.TemporaryDirectory() as empty:  # apt keeps silent about files that are there
            try:
                shown = _apt(*ask, directory=empty)
            except PackageError:  # no lists, or lists so old that what they name is gone
                _apt("update", directory=empty)
                shown = _apt(*ask, directory=empty)
        found = {}
        for file, digest in re.findall(r"^'.*' (\S+) \d+ SHA256:(\S+)$", shown, re.MULTILINE):
            found[file.split("_")[0]] = (file, digest)
        if set(found) != set(names):
            raise PackageError(f"apt names no file for {sorted(set(names) - set(found))}")
        return dict(sorted(found.items()))

    def _has(self, file, digest):
        path = self._archives / file
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest

    def _unpack(self, archive):
        target = self._unpacked / archive.stem
        if not target.exists():
            work = Path(tempfile.mkdtemp(dir=self._unpacked, prefix=".unpacking."))
            try:
                subprocess.run(["dpkg-deb", "-x", archive, work / "root"], check=True)
                (work / "root").rename(target)  # under its name only when it is whole
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return target
