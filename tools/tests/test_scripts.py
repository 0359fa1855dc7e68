"""The scripts' own logic: which packages a tier needs, and what an unknown option gets."""
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def packages_for(*tags):
    return run("bash", "-c", f"source scripts/common.sh; packages_for {' '.join(tags)}").stdout.split()


KNOWN_TAGS = ("", "test", "web", "data", "mlflow", "postgresql", "peers", "tidy", "fuzz", "bench")


class ScriptsTest(unittest.TestCase):
    def test_a_tag_brings_its_packages_and_the_untagged_ones(self):
        product = packages_for()
        self.assertIn("g++", product)
        self.assertNotIn("libgtest-dev", product)
        test = packages_for("test")
        self.assertIn("libgtest-dev", test)
        self.assertNotIn("clang-14", test)
        self.assertLess(set(product), set(test))

    def test_a_package_of_two_tags_is_named_once(self):
        both = packages_for("tidy", "fuzz")
        self.assertEqual(both.count("clang-14"), 1)

    def test_every_line_is_a_package_and_at_most_one_known_tag(self):
        for line in (ROOT / "scripts/packages.txt").read_text().splitlines():
            words = line.split()
            if words and not line.startswith("#"):
                self.assertLessEqual(len(words), 2, line)
                self.assertIn((words + [""])[1], KNOWN_TAGS, line)

    def test_help_and_unknown_options(self):
        for script in ("scripts/test.sh", "scripts/quickstart.sh"):
            with self.subTest(script):
                self.assertIn(script, run(script, "--help").stdout)
                self.assertEqual(run(script, "--help").returncode, 0)
                self.assertEqual(run(script, "--bogus").returncode, 2)


if __name__ == "__main__":
    unittest.main()
