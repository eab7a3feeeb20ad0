"""The parts of the image builder that need no packages."""

import lzma
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "launcher/images"))

from imagelib.cpio import Cpio  # noqa: E402
from imagelib.elf import is_elf, needed  # noqa: E402
from imagelib.firmware import Firmware  # noqa: E402
from imagelib.modules import ModuleError, Modules  # noqa: E402
from imagelib.tree import Tree, TreeError  # noqa: E402


class Directory(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="imagelib."))
        self.addCleanup(shutil.rmtree, self.root)

    def put(self, path, data, mode=0o644):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)


class CpioTest(unittest.TestCase):
    def test_fields_are_where_the_kernel_looks_for_them(self):
        archive = Cpio()
        archive.file("a", b"12345", 0o600)
        data = archive.bytes()
        self.assertEqual(data[:6], b"070701")
        self.assertEqual(int(data[14:22], 16), 0o100600)
        self.assertEqual(int(data[54:62], 16), 5)  # file size
        self.assertEqual(int(data[94:102], 16), 2)  # length of the name with its end
        self.assertEqual(data[110:112], b"a\0")
        self.assertEqual(data[112:117], b"12345")
        self.assertEqual(len(data) % 4, 0)


class ElfTest(unittest.TestCase):
    def test_a_program_needs_its_loader_and_libc(self):
        data = Path(sys.executable).resolve().read_bytes()
        names = needed(data)
        self.assertTrue(names[0].startswith("/lib64/ld-linux"), names)
        self.assertIn("libc.so.6", names)

    def test_a_script_is_no_program(self):
        self.assertFalse(is_elf(b"#!/bin/sh\n"))


class TreeTest(Directory):
    def test_links_are_followed_and_directories_merged(self):
        self.put("lib/real.so.1", b"library")
        (self.root / "lib/alias.so").symlink_to("real.so.1")
        tree = Tree({"package": self.root})
        tree.take("usr/lib/alias.so")
        self.assertIn("usr/lib/real.so.1", tree.names())
        self.assertIn("usr/lib", tree.names())

    def test_a_missing_library_is_named(self):
        self.put("bin/tool", Path(shutil.which("true")).read_bytes(), 0o755)
        with self.assertRaisesRegex(TreeError, "usr/bin/tool needs libc.so.6|no package has"):
            Tree({"package": self.root}).take("usr/bin/tool")

    def test_order_of_calls_and_times_of_files_do_not_matter(self):
        self.put("etc/one", b"1")
        self.put("etc/two", b"2")
        first, second = Tree({"p": self.root}), Tree({"p": self.root})
        first.take("etc/one", "etc/two")
        (self.root / "etc/one").touch()
        second.take("etc/two", "etc/one")
        self.assertEqual(first.cpio(), second.cpio())


class ModulesTest(Directory):
    def module(self, path, depends="", aliases=(), softdep="", firmware=()):
        info = b"\0depends=" + depends.encode()
        info += b"".join(b"\0firmware=" + name.encode() for name in firmware)
        info += b"\0softdep=" + softdep.encode() if softdep else b""
        info += b"".join(b"\0alias=" + alias.encode() for alias in aliases) + b"\0"
        self.put(f"lib/modules/6/kernel/{path}.ko", b"\x7fELF" + info)

    def setUp(self):
        super().setUp()
        self.module("drivers/net/card", "bus,help", ["pci:v1"])
        self.module("drivers/bus", "help")
        self.module("lib/help")
        self.put("lib/modules/6/modules.builtin", b"kernel/fs/ext4.ko\n")
        self.modules = Modules(self.root)
        self.tree = Tree({})

    def content(self, path):
        return self.tree._entries[f"usr/lib/modules/6/{path}"][2]

    def test_dependencies_come_along_in_the_order_modprobe_expects(self):
        self.modules.choose("drivers/net/")
        self.modules.add_to(self.tree)
        dep = self.content("modules.dep").decode().splitlines()
        self.assertIn("kernel/drivers/net/card.ko.xz: kernel/drivers/bus.ko.xz kernel/lib/help.ko.xz",
                      dep)
        self.assertEqual(self.content("modules.alias"), b"alias pci:v1 card\n")
        self.assertTrue(lzma.decompress(self.content("kernel/lib/help.ko.xz")).startswith(b"\x7fELF"))

    def test_what_a_module_wishes_for_comes_first(self):
        self.module("drivers/picky", "", softdep="pre: phy-help nonesuch post: card")
        self.module("lib/phy-help", "", softdep="pre: picky")
        modules = Modules(self.root)
        modules.choose("picky")
        modules.add_to(self.tree)
        dep = self.content("modules.dep").decode().splitlines()
        self.assertIn("kernel/drivers/picky.ko.xz: kernel/lib/phy-help.ko.xz", dep)
        self.assertNotIn("card", self.content("modules.dep").decode())

    def test_what_is_loaded_at_boot_is_not_compressed(self):
        self.modules.choose_plain("bus", "ext4")
        self.modules.choose("card")
        self.modules.add_to(self.tree)
        self.assertIn("usr/lib/modules/6/kernel/drivers/bus.ko", self.tree.names())
        self.assertIn("usr/lib/modules/6/kernel/drivers/net/card.ko.xz", self.tree.names())

    def test_firmware_that_chosen_modules_name_is_taken_and_no_other(self):
        for name in ("old-3", "old-5", "new-9"):
            self.put(f"lib/firmware/iwlwifi-{name}.ucode", name.encode())
        self.put("lib/firmware/nic/real", b"blob")
        (self.root / "lib/firmware/nic/fw").symlink_to("real")
        self.module("drivers/net/radio", firmware=["iwlwifi-old-7.ucode", "nic/fw", "nic/gone", "nic/x-sdio.bin"])
        self.module("drivers/other", firmware=["iwlwifi-new-9.ucode"])
        tree = Tree({"package": self.root})
        modules, firmware = Modules(self.root), Firmware(tree)
        modules.choose("radio")
        for module, names in modules.firmware():
            firmware.take(module, names)
        self.assertEqual([name for name in tree.names() if name.endswith(".xz")],
                         [f"usr/lib/firmware/{name}.xz" for name in
                          ("iwlwifi-old-5.ucode", "nic/fw", "nic/real")])
        self.assertEqual(lzma.decompress(tree._entries["usr/lib/firmware/nic/real.xz"][2]), b"blob")
        self.assertEqual(tree._entries["usr/lib/firmware/nic/fw.xz"][2], "real.xz")
        self.assertEqual(firmware.missing, {"radio": ["nic/gone"]})

    def test_an_unknown_module_is_named(self):
        with self.assertRaisesRegex(ModuleError, "no module nonesuch"):
            self.modules.choose("nonesuch")


if __name__ == "__main__":
    unittest.main()
