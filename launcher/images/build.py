#!/usr/bin/env python3
"""Builds guest images from Debian packages; README.md tells what they are."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from imagelib.modules import ModuleError  # noqa: E402
from imagelib.packages import PackageCache, PackageError  # noqa: E402
from imagelib.recipe import RECIPES, build  # noqa: E402
from imagelib.tree import TreeError  # noqa: E402


def default_cache():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "launcher-image"


def parse(words):
    parser = argparse.ArgumentParser(prog="launcher-image", description=__doc__)
    parser.add_argument("image", choices=[*RECIPES, "all"])
    parser.add_argument("directory", type=Path, help="where IMAGE.vmlinuz, .initramfs and .packages go")
    parser.add_argument("--cache", type=Path, default=default_cache(),
                        help="where packages are kept (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the files inside as well")
    return parser.parse_args(words)


def write(path, data):
    """Renamed into place: nobody boots half an image."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.rename(path)


def tell(name, built, listed):
    print(f"{name}: kernel {len(built.kernel) / 1e6:.1f} MB, initramfs "
          f"{len(built.initramfs) / 1e6:.1f} MB ({built.unpacked / 1e6:.1f} MB in the guest's memory), "
          f"{built.digest}")
    for note in built.notes:
        print(f"{name}: {note}")
    if listed:
        print("\n".join(built.contents))


def main(words):
    arguments = parse(words)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    cache = PackageCache(arguments.cache)
    for name in RECIPES if arguments.image == "all" else [arguments.image]:
        built = build(name, cache)
        write(arguments.directory / f"{name}.vmlinuz", built.kernel)
        write(arguments.directory / f"{name}.initramfs", built.initramfs)
        write(arguments.directory / f"{name}.packages", "".join(
            f"{package}\n" for package in built.packages).encode())
        tell(name, built, arguments.list)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (PackageError, TreeError, ModuleError, OSError) as error:
        sys.exit(f"launcher-image: {error}")
