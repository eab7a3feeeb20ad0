"""Debian packages for the length of a comparison, without installing them.

apt-get downloads what the machine lacks and dpkg-deb unpacks it into a directory of our own: no
service is started, no alternative switched, nothing is left behind.
"""

import os
import shutil
import subprocess


class PackageError(RuntimeError):
    pass


def run(arguments, **options):
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False, **options)
    if result.returncode != 0:
        raise PackageError(f"{' '.join(arguments)}: {result.stdout.strip()[-400:]}")
    return result.stdout


class Package:
    """One package with what it depends on, found in the system or unpacked below `directory`."""

    def __init__(self, name, program, directory):
        """`program`: its path in the package; when the system has it, nothing is downloaded."""
        self.root = "/"
        if not os.path.exists(program):
            self.root = os.path.join(directory, "packages", name)
            self._unpack(name)

    def _unpack(self, name):
        if os.geteuid() != 0:
            raise PackageError(f"package {name} is not installed, and only root can fetch it")
        archives = os.path.join(self.root, "archives")
        os.makedirs(os.path.join(archives, "partial"))
        fetch = ["apt-get", "-q", "-y", "--download-only", "--no-install-recommends",
                 "-o", f"Dir::Cache::archives={archives}", "install", name]
        try:
            run(fetch)
        except PackageError:  # package lists may be missing or old
            run(["apt-get", "-q", "update"])
            run(fetch)
        for archive in os.listdir(archives):
            if archive.endswith(".deb"):
                run(["dpkg-deb", "-x", os.path.join(archives, archive), self.root])
        shutil.rmtree(archives)

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def environment(self):
        """Variables with which its programs find its libraries."""
        environment = dict(os.environ)
        if self.root != "/":
            libraries = self.path("/usr/lib/x86_64-linux-gnu")
            before = environment.get("LD_LIBRARY_PATH")
            environment["LD_LIBRARY_PATH"] = f"{libraries}:{before}" if before else libraries
        return environment

    def dpdk_drivers(self):
        """EAL arguments that load DPDK's drivers from where they are."""
        unpacked = self.path("/usr/lib/x86_64-linux-gnu/dpdk")
        if self.root == "/" or not os.path.isdir(unpacked):
            return []
        return [f"-d{os.path.join(unpacked, name)}" for name in os.listdir(unpacked)
                if name.startswith("pmds-")]
