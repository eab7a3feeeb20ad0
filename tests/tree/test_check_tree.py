"""Each rule finds what breaks it, and nothing else."""

import tempfile
import unittest
from pathlib import Path

import check_tree


class CheckTree(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def breaches(self, rule, **files):
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_cc", ".cc").replace("_h", ".h")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return [(path.name, line) for path, line, _ in check_tree.RULES[rule](self.root)]

    def test_file_sizes(self):
        found = self.breaches("file_sizes", vhost__long_cc="\n" * 401, vhost__short_cc="\n" * 400)
        self.assertEqual(found, [("long.cc", 401)])

    def test_function_sizes(self):
        body = "  if (x) {\n  }\n" * 30
        signature = "void f(int a,\n       int b) {\n"
        text = f"namespace x {{\n{signature}{body}}}\nvoid short() {{\n  return;\n}}\n}}\n"
        self.assertEqual(self.breaches("function_sizes", switchd__a_cc=text), [("a.cc", 2)])

    def test_constructors_with_initialisers(self):
        text = "X::X(int a)\n    : a_(a),\n      b_(a) {\n  f();\n}\n\n" * 30
        self.assertEqual(self.breaches("function_sizes", switchd__a_cc=text), [])

    def test_function_of_sixty_lines_is_fine(self):
        text = "class X {\n  int f() {\n" + "    g();\n" * 58 + "  }\n" * 1 + "};\n"
        self.assertEqual(self.breaches("function_sizes", switchd__a_h=text), [])

    def test_includes(self):
        found = self.breaches(
            "includes",
            switchd__bridge__up_cc='#include "datapath/worker.h"\n',
            switchd__bridge__down_cc='#include "vhost/device.h"\n#include "bridge/x.h"\n',
            switchd__control__dots_cc='#include "../x.h"\n',
            switchd__datapath__rte_cc='#include <rte_vhost.h>\n',
            vhost__device_cc='#include <rte_vhost.h>\n')
        self.assertEqual(sorted(found), [("dots.cc", 1), ("rte.cc", 1), ("up.cc", 1)])

    def test_threads(self):
        text = "std::thread t;  // std::thread\nauto n = std::thread::hardware_concurrency();\n"
        self.assertEqual(self.breaches("threads", switchd__control__a_cc=text,
                                       switchd__datapath__b_cc=text), [("a.cc", 1)])

    def test_threads_of_the_disposer_alone(self):
        text = "std::thread t;\n"
        self.assertEqual(self.breaches("threads", vhost__door__disposer_cc=text,
                                       vhost__door__door_cc=text, vhost__disposer_cc=text),
                         [("disposer.cc", 1), ("door.cc", 1)])

    def test_format(self):
        found = self.breaches("format", vhost__ugly_cc="int   x;\n", vhost__fine_cc="int x;\n")
        self.assertEqual(found, [("ugly.cc", 1)])


if __name__ == "__main__":
    unittest.main()
