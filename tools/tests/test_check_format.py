"""check_format names the file that differs from .clang-format."""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import check_format  # noqa: E402

PROGRAM = shutil.which("clang-format-14")


@unittest.skipUnless(PROGRAM, "no clang-format-14 in PATH")
class CheckFormatTest(unittest.TestCase):
    def test_a_file_that_differs_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            (root / ".clang-format").write_text("BasedOnStyle: Google\n")
            (root / "good.cpp").write_text("int a = 1;\n")
            self.assertEqual(check_format.check(PROGRAM, root), [])
            (root / "bad.cpp").write_text("int   a=1 ;\n")
            self.assertEqual(check_format.check(PROGRAM, root), ["bad.cpp"])


if __name__ == "__main__":
    unittest.main()
