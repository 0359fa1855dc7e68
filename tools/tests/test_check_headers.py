"""check_headers compiles real headers of a small tree, and says which one cannot stand alone."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import check_headers  # noqa: E402

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++-14")


@unittest.skipUnless(COMPILER, "no C++ compiler in PATH")
class CheckHeadersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name).resolve()
        module = self.root / "src/base"
        module.mkdir(parents=True)
        (module / "CMakeLists.txt").write_text("tw_module(base HEADERS a.h SOURCES a.cpp)")
        source = module / "a.cpp"
        command = f"{COMPILER} -I{self.root}/src -std=c++20 -Wall -Werror -MD -MT x -MF x.d -o x.o -c {source}"
        entry = {"directory": str(self.root), "file": str(source), "command": command}
        (self.root / "compile_commands.json").write_text(json.dumps([entry]))

    def tearDown(self):
        self.folder.cleanup()

    def problems(self, header):
        (self.root / "src/base/a.h").write_text(header)
        return check_headers.check(self.root, self.root)[1]

    def test_a_header_that_brings_what_it_needs(self):
        self.assertEqual(self.problems("#pragma once\n#include <string>\ninline std::string f() { return {}; }\n"), [])

    def test_a_missing_include(self):
        problems = self.problems("#pragma once\ninline std::string f() { return {}; }\n")
        self.assertEqual(len(problems), 1)
        self.assertIn("base/a.h cannot stand alone", problems[0])

    def test_a_missing_guard(self):
        self.assertEqual(len(self.problems("inline int f() { return 1; }\n")), 1)

    def test_a_build_that_knows_no_source_of_ours(self):
        (self.root / "compile_commands.json").write_text("[]")
        self.assertEqual(len(check_headers.check(self.root, self.root)[1]), 1)

    def test_launchers_and_outputs_are_left_out(self):
        command = check_headers.header_command({"command": "/usr/bin/ccache g++ -O2 -include pch.h -o a.o -c a.cpp"})
        self.assertEqual(command, ["g++", "-O2", "-fsyntax-only", "-x", "c++", "-"])


if __name__ == "__main__":
    unittest.main()
