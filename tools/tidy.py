#!/usr/bin/env python3
"""Style that no compiler knows: banned calls and their replacement, leftovers, big files, paths and secrets.

    tidy.py [ROOT]

Looks at the files that git tracks below ROOT. A line that must break a rule says so with a reason in a comment:
`tidy: allow(clock) <reason>`. Prints one line per finding; exit code 1 when there are any.
"""
import pathlib
import re
import shutil
import subprocess
import sys

BLOB_BYTES_MAX = 1_000_000
SOURCE_LINES_MAX = 800
CODE = (".h", ".cpp")


class Rule:
    """`pattern` must not occur in files for which `where(path)` holds; `instead` says what to do."""

    def __init__(self, name, where, pattern, instead, code_only=True):
        self.name = name
        self.where = where
        self.pattern = re.compile(pattern)
        self.instead = instead
        self.code_only = code_only  # comments and literals do not count


def is_code(path):
    return path.suffix in CODE


def below(*folders):
    return lambda path: is_code(path) and path.parts[0] in folders


def outside_base(path):
    return is_code(path) and path.parts[:2] != ("src", "base")


def product(path):
    """Our modules without their tests; base/ alone speaks to the process and the machine."""
    return below("src")(path) and outside_base(path) and not path.stem.endswith("_test")


def any_text(path):
    return path.name not in ("tidy.py", "test_tidy.py", "LICENSE")


RULES = [
    Rule("clock", outside_base,
         r"\b(system_clock|steady_clock|high_resolution_clock|gettimeofday|clock_gettime|localtime|localtime_r"
         r"|__DATE__|__TIME__|__TIMESTAMP__)\b|(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:NULL|nullptr|0)\s*\)"
         r"|\bstd::(?:clock|time)\s*\(",
         "take a tw::Clock from the caller (base/clock.h)"),
    Rule("rng", outside_base,
         r"\b(random_device|mt19937(_64)?|minstd_rand0?|default_random_engine|ranlux\w+|[dlm]rand48|random_shuffle"
         r"|getrandom)\b|(?<![\w.>])s?rand\s*\(|std::(shuffle|sample)\s*\(|std::ranges::(shuffle|sample)\s*\("
         r"|std::\w+_distribution\b",
         "take a tw::Rng stream (base/rng.h): seeded, and the same on every machine"),
    Rule("environment", product,
         r"\b(secure_)?getenv\s*\(|\bsetenv\s*\(|\benviron\b", "only apps/ read the environment; pass the value in"),
    Rule("throw", product, r"\bthrow\b(?!\s*\(\s*\))", "return a Result (base/result.h), or TW_CHECK for a bug of ours"),
    Rule("exit", product, r"(?<![\w.>])(?:std::)?(?:exit|quick_exit|abort)\s*\(",
         "return a Result, or TW_CHECK; only apps/ end the process"),
    Rule("std", lambda path: is_code(path),
         r"#\s*include\s*<(expected|format|print|stacktrace|source_location|generator|regex)>|\bstd::(expected|format)\b",
         "use Result, fmt, or a hand-written scanner: clang 14 or libstdc++ 12 lacks it, or it is dear"),
    Rule("namespace", lambda path: path.suffix == ".h", r"\busing\s+namespace\b", "qualify names in headers"),
    Rule("console", product, r"\bstd::(cout|cerr|clog)\b|(?<![\w.>])(?:std::)?f?printf\s*\(",
         "log (base/log.h) or return text; only apps/ print"),
    Rule("marker", any_text, r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or file an issue and say what is missing",
         code_only=False),
    Rule("machine-path", any_text, r"(?<![\w.$}/:-])/(?:work|root|home)/|(?<![\w.}:-])(?<!\{TMPDIR:-)/tmp/",
         "take the path from the caller, TMPDIR or the checkout", code_only=False),
    Rule("secret", any_text,
         r"\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{36}\b"
         r"|\bxox[abpr]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{32,}",
         "remove it, revoke it, and read secrets from the environment or a file in apps/", code_only=False),
]


def tracked_files(root):
    """What git tracks; without git or outside a repository, everything but builds."""
    if shutil.which("git"):
        listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
        if listing.returncode == 0 and listing.stdout:
            return sorted(pathlib.Path(name) for name in listing.stdout.decode().split("\0") if name)
    skipped = {".git", "build", "node_modules"}
    return sorted(path.relative_to(root) for path in root.rglob("*")
                  if path.is_file() and not skipped & set(path.relative_to(root).parts))


def blank(match):
    """Spaces of the same shape, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


LITERALS = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
                      re.DOTALL)


def only_code(text):
    return LITERALS.sub(blank, text)


def check_text(path, text):
    lines = text.splitlines()
    code_lines = only_code(text).splitlines() if is_code(path) else lines
    # An include names a header in quotes or brackets; that is code.
    code_lines = [line if re.match(r"\s*#\s*include", line) else code for line, code in zip(lines, code_lines)]
    for rule in RULES:
        if not rule.where(path):
            continue
        for number, line in enumerate(code_lines if rule.code_only else lines, 1):
            match = rule.pattern.search(line)
            if match and f"tidy: allow({rule.name}) " not in lines[number - 1]:
                yield f"{path}:{number}: {rule.name}: '{match.group(0).strip()}': {rule.instead}"
    if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield f"{path}:1: guard: a header begins with #pragma once"
    if is_code(path) and len(lines) > SOURCE_LINES_MAX:
        yield f"{path}:{len(lines)}: length: {len(lines)} lines, at most {SOURCE_LINES_MAX}: split it by what it is about"


def check(root):
    problems = []
    for path in tracked_files(root):
        whole = root / path
        if not whole.is_file() or whole.is_symlink():
            continue
        size = whole.stat().st_size
        if size > BLOB_BYTES_MAX:
            problems.append(f"{path}: blob: {size} bytes, at most {BLOB_BYTES_MAX}: keep data out of git, or make it "
                            "smaller")
            continue
        try:
            text = whole.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or another binary file
        problems.extend(check_text(path, text))
    return problems


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent).resolve()
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} findings" if problems else "tidy: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
