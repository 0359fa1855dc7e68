#!/usr/bin/env python3
"""Compares every include below src/ with the layers and with the DEPS of tw_module.

    check_layers.py [ROOT]

A module may include its own headers, and the public headers (HEADERS) of the modules that its DEPS name; tests may use
TEST_DEPS as well. DEPS point to a lower layer or to a peer of the same layer, never in a circle. A public header keeps
dear third-party headers out. Every source file is listed in its CMakeLists.txt. Prints one line per finding; exit code
1 when there are any.
"""
import pathlib
import re
import sys

# The map of ARCHITECTURE.md. A module must stand here before it can be built upon.
LAYERS = {
    "base": 0,
    "market": 1, "net": 1, "nn": 1, "db": 1,
    "store": 2, "import": 2, "features": 2, "trading": 2, "rl": 2, "tracking": 2,
    "sim": 3, "broker": 3, "eval": 3, "hpo": 3,
    "training": 4, "live": 4, "advisor": 4,
    "server": 5, "autopilot": 5,
}
# Cost in every file that includes them: seconds. Only .cpp files and internal headers may.
DEAR = ("spdlog/", "nlohmann/", "yaml-cpp/", "CLI/", "httplib.h", "google/protobuf", "regex", "iostream")
KEYWORDS = ("DEPS", "EXTERNAL", "PRIVATE_EXTERNAL", "HEADERS", "SOURCES", "TESTS", "TEST_DEPS")
SUFFIXES = (".h", ".cpp")


class Module:
    def __init__(self, name, folder, words):
        self.name = name
        self.folder = folder
        self.lists = {keyword: [] for keyword in KEYWORDS}
        at = None
        for word in words:
            if word in KEYWORDS:
                at = word
            elif at is not None:
                self.lists[at].append(word)

    def deps(self):
        return self.lists["DEPS"]

    def listed(self):
        return {name for key in ("HEADERS", "SOURCES", "TESTS") for name in self.lists[key]}


def read_modules(src):
    modules = []
    for path in sorted(src.rglob("CMakeLists.txt")):
        text = re.sub(r"#[^\n]*", "", path.read_text())
        for call in re.finditer(r"tw_module\(([^)]*)\)", text):
            words = re.sub(r"\$\{[^}]*\}|\$<[^>]*>", "", call.group(1)).split()
            modules.append(Module(words[0], path.parent, words[1:]))
    return modules


def includes_of(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if match:
            yield number, match.group(1), match.group(2)


def circle_from(name, by_name, trail):
    if name in trail:
        return trail[trail.index(name):] + [name]
    for dep in by_name[name].deps() if name in by_name else []:
        found = circle_from(dep, by_name, trail + [name])
        if found:
            return found
    return None


def check_deps(module, by_name, problems):
    if module.name not in LAYERS:
        problems.append(f"{module.folder}: module '{module.name}' has no layer; add it to LAYERS and ARCHITECTURE.md")
        return
    for dep in module.deps() + module.lists["TEST_DEPS"]:
        if dep not in by_name:
            problems.append(f"{module.folder}: DEPS names '{dep}', which is no module")
    for dep in module.deps():
        if LAYERS.get(dep, 0) > LAYERS[module.name]:
            problems.append(f"{module.folder}: '{module.name}' (L{LAYERS[module.name]}) depends on '{dep}' "
                            f"(L{LAYERS[dep]}); dependencies point down, move the shared part to a lower module")
    circle = circle_from(module.name, by_name, [])
    if circle and circle[0] == module.name:
        problems.append(f"{module.folder}: DEPS run in a circle: {' -> '.join(circle)}")


def owner_of(path, modules):
    """The module with the deepest folder that holds `path`."""
    holders = [m for m in modules if m.folder in path.parents]
    return max(holders, key=lambda m: len(m.folder.parts), default=None)


def check_file(path, module, modules, src, problems):
    relative = path.relative_to(src)
    inside = str(path.relative_to(module.folder))
    is_test = inside in module.lists["TESTS"]
    is_public = inside in module.lists["HEADERS"]
    if inside not in module.listed() and path.suffix == ".cpp":
        problems.append(f"src/{relative}: not listed in {module.name}'s CMakeLists.txt; list it or remove it")
    allowed = {module.name, *module.deps(), *(module.lists["TEST_DEPS"] if is_test else [])}
    used = set()
    for number, bracket, name in includes_of(path):
        where = f"src/{relative}:{number}"
        if is_public and name.startswith(DEAR):
            problems.append(f"{where}: a public header includes <{name}>; include it in the .cpp and hide it")
        if bracket == "<":
            continue
        target = src / name
        if not target.is_file():
            problems.append(f'{where}: "{name}" is not below src/; write the path from src/')
            continue
        owner = owner_of(target, modules)
        if owner is None:
            problems.append(f'{where}: "{name}" belongs to no module')
            continue
        used.add(owner.name)
        if owner.name not in allowed:
            problems.append(f"{where}: \"{name}\" belongs to '{owner.name}', which is not in the DEPS of "
                            f"'{module.name}' ({' '.join(sorted(allowed - {module.name})) or 'none'})")
        elif owner is not module and str(target.relative_to(owner.folder)) not in owner.lists["HEADERS"]:
            problems.append(f"{where}: \"{name}\" is internal to '{owner.name}'; use or make a public header")
    return used


def check(root):
    src = root / "src"
    modules = read_modules(src)
    by_name = {module.name: module for module in modules}
    problems = []
    if not modules:
        problems.append(f"{src}: no tw_module found")
    used = {module.name: set() for module in modules}
    for module in modules:
        check_deps(module, by_name, problems)
        for name in sorted(module.listed()):
            if not (module.folder / name).is_file():
                problems.append(f"{module.folder}: CMakeLists.txt lists {name}, which does not exist")
    for path in sorted(src.rglob("*")):
        if path.suffix not in SUFFIXES:
            continue
        module = owner_of(path, modules)
        if module is not None:
            used[module.name] |= check_file(path, module, modules, src, problems)
    for module in modules:
        for dep in module.deps():
            if dep not in used[module.name]:
                problems.append(f"{module.folder}: '{module.name}' names '{dep}' in DEPS but includes nothing of it")
    return problems


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent).resolve()
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"check_layers: {len(problems)} findings" if problems else "check_layers: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
