#!/usr/bin/env python3
"""Compares our C++ files with .clang-format.

    check_format.py CLANG_FORMAT [ROOT]

Prints the files that differ and the command that mends them; exit code 1 when there are any.
"""
import pathlib
import subprocess
import sys

import tidy

FILES_AT_ONCE = 40


def check(program, root):
    files = [str(path) for path in tidy.tracked_files(root) if path.suffix in tidy.CODE and (root / path).is_file()]
    problems = set()
    for begin in range(0, len(files), FILES_AT_ONCE):
        run = subprocess.run([program, "--dry-run", "--style=file", *files[begin:begin + FILES_AT_ONCE]], cwd=root,
                             capture_output=True, text=True, check=False)
        problems |= {line.split(":")[0] for line in run.stderr.splitlines() if "-Wclang-format-violations" in line}
        if run.returncode != 0:
            problems.add(run.stderr.strip())
    return sorted(problems)


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    problems = check(arguments[0], root)
    for problem in problems:
        print(problem)
    if problems:
        print(f"check_format: {len(problems)} findings; mend with: {arguments[0]} -i {' '.join(problems)}")
        return 1
    print("check_format: clean")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
