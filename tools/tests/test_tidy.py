"""tidy finds what it is for: each test breaks one rule in a small tree of its own."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tidy  # noqa: E402


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name).resolve()
        self.write("src/market/a.cpp", "int a = 1;\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def assert_finding(self, name, text, rule):
        self.write(name, text)
        problems = tidy.check(self.root)
        self.assertTrue(any(p.startswith(name) and f" {rule}: " in p for p in problems), problems)

    def assert_clean(self, name, text):
        self.write(name, text)
        self.assertEqual(tidy.check(self.root), [])

    def test_clocks(self):
        for code in ("auto t = std::chrono::system_clock::now();", "steady_clock::time_point p;", "gettimeofday(&t, 0);",
                     "x = time(nullptr);", "x = std::time(0);", "x = std::clock();", "const char* d = __DATE__;"):
            with self.subTest(code):
                self.assert_finding("src/market/b.cpp", code + "\n", "clock")
        self.assert_finding("apps/tradewind/b.cpp", "clock_gettime(CLOCK_REALTIME, &t);\n", "clock")

    def test_clocks_are_at_home_in_base(self):
        self.assert_clean("src/base/clock.cpp", "auto t = std::chrono::system_clock::now();\n")

    def test_our_own_clocks_are_no_finding(self):
        self.assert_clean("src/market/b.cpp", "auto t = context.clock().Now(); bar.open_time(); close_time(0);\n")

    def test_random_numbers(self):
        for code in ("std::random_device d;", "std::mt19937 g(1);", "int r = rand();", "srand(1);", "drand48();",
                     "std::shuffle(a, b, g);", "std::normal_distribution<double> d;"):
            with self.subTest(code):
                self.assert_finding("src/market/b_test.cpp", code + "\n", "rng")

    def test_comments_and_literals_are_no_code(self):
        self.assert_clean("src/market/b.cpp",
                          "// mt19937 differs by library\n/* rand()\n system_clock */\n"
                          "auto s = \"getenv( system_clock \\\" throw\"; auto r = R\"x(std::cout rand())x\";\n")

    def test_allowed_with_a_reason(self):
        self.assert_clean("src/market/b.cpp", "auto t = system_clock::now();  // tidy: allow(clock) measured, not used\n")
        self.assert_finding("src/market/b.cpp", "auto t = system_clock::now();  // tidy: allow(rng) no\n", "clock")

    def test_only_apps_read_the_environment(self):
        self.assert_finding("src/market/b.cpp", "auto v = std::getenv(\"HOME\");\n", "environment")
        self.write("src/market/b.cpp", "int b;\n")
        self.assert_clean("apps/tradewind/main.cpp", "auto v = std::getenv(\"HOME\");\n")

    def test_product_does_not_throw_exit_or_print(self):
        self.assert_finding("src/market/b.cpp", "throw 1;\n", "throw")
        self.assert_finding("src/market/b.cpp", "std::exit(1);\n", "exit")
        self.assert_finding("src/market/b.cpp", "std::cout << 1;\n", "console")

    def test_headers(self):
        self.assert_finding("src/market/b.h", "int b;\n", "guard")
        self.assert_finding("src/market/b.h", "#pragma once\nusing namespace std;\n", "namespace")

    def test_std_that_the_second_compiler_lacks(self):
        self.assert_finding("src/market/b.cpp", "#include <format>\n", "std")
        self.assert_finding("src/market/b.cpp", "std::expected<int, int> e;\n", "std")

    def test_long_file(self):
        self.assert_finding("src/market/b.cpp", "int b;\n" * 801, "length")

    def test_leftover_markers_anywhere(self):
        for name in ("src/market/b.cpp", "README.md", "scripts/x.sh", "config/x.yaml"):
            with self.subTest(name):
                self.assert_finding(name, "# TO" + "DO later\n", "marker")
                self.write(name, "int b;\n" if name.endswith("cpp") else "\n")

    def test_machine_paths(self):
        for text in ("cd /wo" + "rk/main", "open('/ro" + "ot/x')", "x=/tm" + "p/y", "see /ho" + "me/joe/x"):
            with self.subTest(text):
                self.assert_finding("scripts/x.sh", text + "\n", "machine-path")
        self.assert_clean("scripts/x.sh", "d=$(mktemp -d); e=${TMPDIR:-/tmp}; f=src/work/x; g=https://a.example/home/\n")

    def test_secrets(self):
        self.assert_finding("config/x.yaml", "key: AKIA" + "A" * 16 + "\n", "secret")
        self.assert_finding("config/x.yaml", "-----BEGIN RSA " + "PRIVATE KEY-----\n", "secret")

    def test_big_file(self):
        self.assert_finding("docs/x.bin", b"\xff" * 1_000_001, "blob")

    def test_exit_code_tells(self):
        self.assertEqual(tidy.main([str(self.root)]), 0)
        self.write("src/market/b.cpp", "throw 1;\n")
        self.assertEqual(tidy.main([str(self.root)]), 1)


if __name__ == "__main__":
    unittest.main()
