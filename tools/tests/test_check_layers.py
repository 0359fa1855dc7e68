"""check_layers finds what it is for: each test breaks one rule in a small tree of its own."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import check_layers  # noqa: E402


class CheckLayersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name).resolve()
        self.write("src/base/CMakeLists.txt", "tw_module(base HEADERS a.h SOURCES a.cpp)")
        self.write("src/base/a.h", "#pragma once\n#include <string>\n")
        self.write("src/base/a.cpp", '#include "base/a.h"\n')
        self.write("src/market/CMakeLists.txt", "tw_module(market DEPS base HEADERS b.h SOURCES b.cpp TESTS b_test.cpp)")
        self.write("src/market/b.h", '#pragma once\n#include "base/a.h"\n')
        self.write("src/market/b.cpp", '#include "market/b.h"\n')
        self.write("src/market/b_test.cpp", '#include "market/b.h"\n')

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_finding(self, *parts):
        problems = check_layers.check(self.root)
        self.assertTrue(any(all(part in problem for part in parts) for problem in problems), problems)

    def test_a_sound_tree_is_clean(self):
        self.assertEqual(check_layers.check(self.root), [])

    def test_include_of_a_module_that_deps_does_not_name(self):
        self.write("src/nn/CMakeLists.txt", "tw_module(nn SOURCES n.cpp)")
        self.write("src/nn/n.cpp", '#include "base/a.h"\n')
        self.assert_finding("src/nn/n.cpp:1", "not in the DEPS of 'nn'")

    def test_test_deps_serve_tests_only(self):
        self.write("src/nn/CMakeLists.txt", "tw_module(nn SOURCES n.cpp TESTS n_test.cpp TEST_DEPS base)")
        self.write("src/nn/n_test.cpp", '#include "base/a.h"\n')
        self.write("src/nn/n.cpp", "int n;\n")
        self.assertEqual(check_layers.check(self.root), [])
        self.write("src/nn/n.cpp", '#include "base/a.h"\n')
        self.assert_finding("src/nn/n.cpp:1", "not in the DEPS")

    def test_dependency_that_points_up(self):
        self.write("src/base/CMakeLists.txt", "tw_module(base DEPS market HEADERS a.h SOURCES a.cpp)")
        self.assert_finding("'base' (L0) depends on 'market' (L1)")

    def test_circle_of_peers(self):
        self.write("src/sim/CMakeLists.txt", "tw_module(sim DEPS eval)")
        self.write("src/eval/CMakeLists.txt", "tw_module(eval DEPS sim)")
        self.assert_finding("circle", "sim -> eval -> sim")

    def test_internal_header_of_another_module(self):
        self.write("src/base/secret.h", "#pragma once\n")
        self.write("src/market/b.cpp", '#include "base/secret.h"\n')
        self.assert_finding("src/market/b.cpp:1", "internal to 'base'")

    def test_dear_header_in_a_public_header(self):
        self.write("src/base/a.h", "#pragma once\n#include <nlohmann/json.hpp>\n")
        self.assert_finding("src/base/a.h:2", "public header")

    def test_include_that_is_not_rooted_at_src(self):
        self.write("src/market/b.cpp", '#include "b.h"\n')
        self.assert_finding("src/market/b.cpp:1", "write the path from src/")

    def test_source_that_nobody_compiles(self):
        self.write("src/market/dead.cpp", "int dead;\n")
        self.assert_finding("src/market/dead.cpp", "not listed")

    def test_listed_file_that_does_not_exist(self):
        self.write("src/base/CMakeLists.txt", "tw_module(base HEADERS a.h gone.h SOURCES a.cpp)")
        self.assert_finding("gone.h", "does not exist")

    def test_dep_that_nothing_uses(self):
        self.write("src/market/b.h", "#pragma once\n")
        self.assert_finding("'market' names 'base' in DEPS but includes nothing of it")

    def test_module_without_a_layer(self):
        self.write("src/odd/CMakeLists.txt", "tw_module(odd)")
        self.assert_finding("'odd' has no layer")

    def test_a_module_in_a_folder_of_another_is_its_own(self):
        self.write("src/store/CMakeLists.txt", "tw_module(store HEADERS s.h)")
        self.write("src/store/s.h", "#pragma once\n")
        self.write("src/store/import/CMakeLists.txt", "tw_module(import DEPS store SOURCES i.cpp)")
        self.write("src/store/import/i.cpp", '#include "store/s.h"\n')
        self.assertEqual(check_layers.check(self.root), [])

    def test_exit_code_tells(self):
        self.assertEqual(check_layers.main([str(self.root)]), 0)
        self.write("src/market/dead.cpp", "int dead;\n")
        self.assertEqual(check_layers.main([str(self.root)]), 1)


if __name__ == "__main__":
    unittest.main()
