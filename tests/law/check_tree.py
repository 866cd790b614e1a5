#!/usr/bin/env python3
"""The law of the tree, read from the files themselves: which folder may include which, where a third-party header may
stand, file names used once, sizes of files and functions, nothing left open.

  check_tree.py [ROOT]    prints every breach, exit 1 when there is one"""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()

# A folder includes itself and folders of an earlier row; those of one row never include each other.
ROWS = [
    ["core"],
    ["net", "text", "vector"],
    ["guard", "cost"],
    ["embedders", "stores", "providers"],
    ["generate"],
    ["pipeline"],
    ["api"],
]
ROW_OF = {folder: row for row, folders in enumerate(ROWS) for folder in folders}

# Third-party headers: the one file, or the folder (name ends in "/"), that may include them.
THIRD_PARTY = {
    "cjson/cJSON.h": "text/json.c",
    "cJSON.h": "text/json.c",
    "pcre2.h": "text/pattern.c",
    "utf8proc.h": "text/unicode.c",
    "zlib.h": "text/unpack.c",
    "curl/curl.h": "net/http_curl.h",
    "sqlite3.h": "stores/",
    "libpq-fe.h": "stores/",
}

# What comes with a C compiler and the C library of the platform.
SYSTEM = re.compile(
    r"(assert|ctype|errno|fcntl|float|inttypes|limits|locale|math|netdb|poll|pthread|sched|setjmp|signal|stdalign|stdarg|stdatomic"
    r"|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|time|unistd|dirent|dlfcn|endian|spawn|termios"
    r"|[ei]mmintrin|arm_neon|(sys|linux|netinet|arpa)/\w+)\.h")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX|HACK|not implemented|stub)\b", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_./-])/(work|home|root|farm)/")
FUNCTION_LINES = 80
FILE_LINES = 600

problems = []


def say(path, line, what):
    place = path.relative_to(ROOT)
    problems.append(f"{place}:{line}: {what}" if line else f"{place}: {what}")


def files(*patterns):
    """Files below the root, without build folders and what git keeps."""
    found = []
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            first = path.relative_to(ROOT).parts[0]
            if path.is_file() and not first.startswith((".", "build", "cmake-build")):
                found.append(path)
    return found


def lines_of(path):
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def check_quoted(path, number, name, folder):
    target = name.split("/")[0]
    if target not in ROW_OF:
        say(path, number, f'"{name}" is no folder of lib/; write "folder/file.h"')
    elif not (ROOT / "lib" / name).is_file():
        say(path, number, f'lib/{name} is not there')
    elif target != folder and ROW_OF[target] >= ROW_OF[folder]:
        say(path, number, f'{folder} may not include "{name}": {target} is not before it')


def check_angled(path, number, name):
    inside = path.relative_to(ROOT / "lib").as_posix()
    if name.startswith("aiorch/"):
        if not (ROOT / "include" / name).is_file():
            say(path, number, f"include/{name} is not there")
    elif name in THIRD_PARTY:
        home = THIRD_PARTY[name]
        if not (inside.startswith(home) if home.endswith("/") else inside == home):
            say(path, number, f"<{name}> belongs into lib/{home} alone")
    elif not SYSTEM.fullmatch(name):
        say(path, number, f"<{name}> is neither ours, nor the system's, nor a library we stand on")


def check_includes():
    for folder in ROW_OF:
        if not (ROOT / "lib" / folder).is_dir():
            problems.append(f"lib/{folder}: a folder of the law that is not there")
    for path in files("lib/**/*.[ch]"):
        folder = path.relative_to(ROOT / "lib").parts[0]
        if folder not in ROW_OF:
            say(path, 0, "lies in no folder of the law")
            continue
        for number, line in enumerate(lines_of(path), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            if match.group(1) == '"':
                check_quoted(path, number, match.group(2), folder)
            else:
                check_angled(path, number, match.group(2))
    # The command line is a stranger to the library: public headers only.
    for path in files("examples/*.c", "examples/cli/**/*.[ch]", "examples/server/**/*.[ch]", "tests/api/**/*.[ch]"):
        for number, line in enumerate(lines_of(path), 1):
            match = INCLUDE.match(line)
            if match and match.group(1) == '"' and match.group(2).split("/")[0] in ROW_OF \
                    and not (path.parent / match.group(2)).is_file():
                say(path, number, f'"{match.group(2)}" is private to the library')


def check_names():
    """Public headers live in a namespace of their own (<aiorch/...>), so that they are left out."""
    seen = collections.defaultdict(list)
    for path in files("lib/**/*.[ch]", "examples/**/*.[ch]", "tests/**/*.[ch]"):
        if "header/fake" not in path.as_posix():
            seen[path.name].append(path.relative_to(ROOT).as_posix())
    for name, places in sorted(seen.items()):
        if len(places) > 1:
            problems.append(f"{name}: the name is used more than once: {', '.join(places)}")


def check_sizes():
    sources = files("lib/**/*.[ch]", "examples/**/*.[ch]")
    for path in sources:
        count = len(lines_of(path))
        if count > FILE_LINES:
            say(path, 0, f"{count} lines, {FILE_LINES} are allowed; split it by meaning")
    if not (sources and shutil.which("ctags")):
        print("SKIP: length of functions: Universal Ctags is not installed")
        return
    command = ["ctags", "--output-format=json", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=+ne", "-f", "-", "-L", "-"]
    listing = "\n".join(str(path) for path in sources)
    for line in subprocess.run(command, input=listing, check=True, capture_output=True, text=True).stdout.splitlines():
        tag = json.loads(line)
        length = tag.get("end", tag["line"]) - tag["line"] + 1
        if length > FUNCTION_LINES:
            say(pathlib.Path(tag["path"]), tag["line"], f"{tag['name']} has {length} lines, {FUNCTION_LINES} are allowed")


def check_left_open():
    for path in files("lib/**/*.[ch]", "include/**/*.h", "examples/**/*.[ch]", "examples/*.sh", "sql/**/*.sql"):
        for number, line in enumerate(lines_of(path), 1):
            match = LEFT_OPEN.search(line)
            if match:
                say(path, number, f"left open: {match.group(1)}")
    for path in files("*", "*/**/*"):
        if path.suffix in (".c", ".h", ".py", ".sh", ".md", ".cmake", ".txt", ".sql", ".json", ".in", ".map") \
                and path != pathlib.Path(__file__).resolve():
            for number, line in enumerate(lines_of(path), 1):
                if MACHINE_PATH.search(line):
                    say(path, number, "names a place on somebody's machine")


def main():
    check_includes()
    check_names()
    check_sizes()
    check_left_open()
    for problem in problems:
        print(problem)
    if not problems:
        print("the tree keeps the law")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
