#!/usr/bin/env python3
"""The second ABI net: what the headers declare, what lib/aiorch.map lists, what the libraries export, and what
tests/abi/symbols.txt pins must be the same.

  symbols.py --update                  put new declarations into lib/aiorch.map and tests/abi/symbols.txt
  symbols.py --map                     compare headers, map and list (needs no build)
  symbols.py --lib SO --archive A      compare the list with a shared library, look through a static one
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAP = ROOT / "lib" / "aiorch.map"
LIST = ROOT / "tests" / "abi" / "symbols.txt"
HOW = "run: python3 tests/abi/symbols.py --update"


def headers():
    return sorted((ROOT / "include" / "aiorch").glob("*.h"))


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def declared():
    """The functions that the public headers export."""
    names = set()
    for header in headers():
        text = re.sub(r"^\s*#.*$", "", without_comments(header.read_text()), flags=re.M)
        for declaration in re.findall(r"\bAIORCH_API\b([^;]*);", text):
            name = re.search(r"\b(\w+)\s*\(", declaration)
            if name is None or not name.group(1).startswith("aiorch_"):
                sys.exit(f"{header.name}: AIORCH_API before something that is no aiorch_ function: {declaration.strip()}")
            names.add(name.group(1))
    return names


def read_map():
    """The nodes of lib/aiorch.map in their order: [(node, names)]."""
    nodes = []
    text = without_comments(MAP.read_text()) if MAP.exists() else ""
    for node, body in re.findall(r"(AIORCH_[0-9.]+)\s*\{(.*?)\}", text, flags=re.S):
        shown = re.search(r"global:(.*?)(local:|$)", body, flags=re.S)
        names = shown.group(1).replace(";", " ").split() if shown else []
        wild = [name for name in names if "*" in name]
        if wild:
            sys.exit(f"lib/aiorch.map: every symbol is listed by name, this one is not: {wild[0]}")
        nodes.append((node, names))
    return nodes


def write_map(nodes):
    lines = ["/* Every exported symbol by name, one node a release. Kept by tests/abi/symbols.py --update; see docs/abi.md. */"]
    previous = ""
    for node, names in nodes:
        lines.append(f"{node} {{")
        lines.append("  global:")
        lines += [f"    {name};" for name in sorted(names)]
        if not previous:
            lines.append("  local:")
            lines.append("    *;")
        lines.append(f"}}{previous};")
        previous = f" {node}"
    MAP.write_text("\n".join(lines) + "\n")


def node_of_this_version():
    text = (ROOT / "include" / "aiorch" / "version.h").read_text()
    numbers = [re.search(rf"AIORCH_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR")]
    return "AIORCH_" + ".".join(numbers)


def listed():
    """Lines of tests/abi/symbols.txt: "name node"."""
    if not LIST.exists():
        return set()
    return {line for line in LIST.read_text().splitlines() if line and not line.startswith("#")}


def map_lines():
    return {f"{name} {node}" for node, names in read_map() for name in names}


def update():
    wanted = declared()
    nodes = [(node, [name for name in names if name in wanted]) for node, names in read_map()]
    new = wanted - {name for _, names in nodes for name in names}
    current = node_of_this_version()
    if new and current not in [node for node, _ in nodes]:
        nodes.append((current, []))
    for node, names in nodes:
        if node == current:
            names.extend(new)
    write_map(nodes)
    LIST.write_text("# Every exported symbol and the release it came with. Kept by tests/abi/symbols.py --update.\n"
                    + "".join(f"{line}\n" for line in sorted(map_lines())))


def difference(what, have, want):
    """Prints how two sets differ; returns how many lines that took."""
    problems = [f"{what}: missing: {name}" for name in sorted(want - have)]
    problems += [f"{what}: not expected: {name}" for name in sorted(have - want)]
    for problem in problems:
        print(problem)
    return len(problems)


def check_map():
    in_map = [name for _, names in read_map() for name in names]
    problems = difference("lib/aiorch.map against the headers", set(in_map), declared())
    problems += difference("tests/abi/symbols.txt against lib/aiorch.map", listed(), map_lines())
    if len(in_map) != len(set(in_map)):
        print("lib/aiorch.map: a symbol is listed twice")
        problems += 1
    return problems


def check_values():
    """Every constant of the headers must be pinned by the first net."""
    pinned = set(re.findall(r"^IS\((\w+),", (ROOT / "tests" / "abi" / "layout.c").read_text(), flags=re.M))
    constants = set()
    for header in headers():
        for body in re.findall(r"\benum\s*\{(.*?)\}", without_comments(header.read_text()), flags=re.S):
            constants |= set(re.findall(r"\b(AIORCH_\w+)\s*=", body))
    return difference("tests/abi/layout.c against the headers' constants", pinned, constants)


def nm(*arguments):
    return subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


def check_shared(path):
    exported = set()
    for line in nm("--dynamic", "--defined-only", "--with-symbol-versions", path):
        name, _, version = line.split()[-1].partition("@")
        version = version.lstrip("@")
        if line.split()[-2] != "A":  # the version nodes themselves
            exported.add(f"{name} {version}" if version else name)
    return difference(f"{pathlib.Path(path).name} against tests/abi/symbols.txt", exported, listed())


def check_archive(path):
    problems = 0
    for line in nm("--extern-only", "--defined-only", path):
        parts = line.split()
        if len(parts) == 3 and not re.match(r"(aiorch_|aio__)", parts[2]):
            print(f"{pathlib.Path(path).name}: a name that could clash with the host's: {parts[2]}")
            problems += 1
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--lib")
    parser.add_argument("--archive")
    arguments = parser.parse_args()
    if arguments.update:
        update()
        return 0
    problems = 0
    if arguments.map:
        problems += check_map() + check_values()
    if arguments.lib:
        problems += check_shared(arguments.lib)
    if arguments.archive:
        problems += check_archive(arguments.archive)
    if problems:
        print(HOW + ", and say so in CHANGELOG.md")
    else:
        print(f"{len(listed())} symbols agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
