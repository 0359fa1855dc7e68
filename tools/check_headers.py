#!/usr/bin/env python3
"""Compiles every public header alone, with the flags of its module: a header brings what it needs.

    check_headers.py BUILD_DIR [ROOT]

BUILD_DIR holds the compile_commands.json of a configured build. Prints the compiler's words for every header that
cannot stand alone; exit code 1 when there are any.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

import check_layers

COMPILE_SECONDS_MAX = 120
# What names the input and output of one compilation, and launchers in front of it.
WITH_VALUE = ("-o", "-include", "-MF", "-MT", "-MQ")
WITHOUT_VALUE = ("-c", "-MD", "-MMD", "-Winvalid-pch")


def header_command(entry):
    """The compiler and its flags from a compile_commands entry, reading a file from standard input."""
    words = shlex.split(entry["command"]) if "command" in entry else list(entry["arguments"])
    while words and pathlib.Path(words[0]).name in ("ccache", "sccache"):
        words = words[1:]
    command = [words[0]]
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in WITH_VALUE:
            skip = True
        elif word not in WITHOUT_VALUE and not word.endswith((".cpp", ".gch", ".pch")):
            command.append(word)
    return command + ["-fsyntax-only", "-x", "c++", "-"]


def commands_by_folder(build, src):
    """One entry for each folder below src/: files of a folder have the same flags but for tests'."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if src in path.parents and not path.stem.endswith("_test"):
            found.setdefault(path.parent, entry)
    return found


def check_header(name, entry):
    text = f'#include "{name}"\n#include "{name}"\n'
    run = subprocess.run(header_command(entry), cwd=entry["directory"], input=text, text=True, capture_output=True,
                         timeout=COMPILE_SECONDS_MAX, check=False)
    return "" if run.returncode == 0 else f"{name} cannot stand alone:\n{run.stderr.strip()}"


def check(build, root):
    src = root / "src"
    entries = commands_by_folder(build, src)
    fallback = next(iter(entries.values()), None)
    if fallback is None:
        return 0, [f"{build}: no source of {src} in compile_commands.json"]
    jobs = []
    for module in check_layers.read_modules(src):
        entry = next((e for folder, e in entries.items() if module.folder == folder or module.folder in folder.parents),
                     fallback)
        jobs += [((module.folder / name).relative_to(src).as_posix(), entry) for name in module.lists["HEADERS"]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        problems = [text for text in pool.map(lambda job: check_header(*job), jobs) if text]
    return len(jobs), problems


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    build = pathlib.Path(arguments[0]).resolve()
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    count, problems = check(build, root)
    for problem in problems:
        print(problem)
    print(f"check_headers: {len(problems)} findings" if problems else f"check_headers: {count} headers, clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
