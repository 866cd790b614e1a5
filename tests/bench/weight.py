#!/usr/bin/env python3
"""What the library weighs, and which folder and file it is.

  weight.py [--json] [--files N] [--most BYTES] BUILD

BUILD is a build folder with libaiorch.so and libaiorch.a, as `cmake -S . -B BUILD && cmake --build BUILD` makes them
(Release, nothing else set). The first figure is the file after `strip`. The tables count the objects of libaiorch.a by
folder, and the N largest (20): code, constants, and tables with addresses; what nobody calls is among them, which the
linker leaves out of libaiorch.so. Exit 1 only when --most is given and the stripped file is larger."""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("code", "constants", "tables")


def kind_of(section):
    if section.startswith((".text", ".init", ".fini")):
        return "code"
    if section.startswith(".rodata"):
        return "constants"
    return "tables" if section.startswith(".data") else None


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def stripped(library):
    """The bytes of the file after `strip`, and of its sections."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "stripped.so"
        run("strip", "-o", str(out), str(library))
        rows = re.findall(r"^(\.\S+)\s+(\d+)\s+[1-9]\d*$", run("size", "-A", str(out)), re.MULTILINE)
        return out.stat().st_size, {name: int(size) for name, size in rows}


def objects(archive):
    """Object -> bytes by kind."""
    sizes = collections.defaultdict(collections.Counter)
    name = None
    for line in run("size", "-A", str(archive)).splitlines():
        head = re.match(r"^(\S+)\.c\.o\s+\(ex ", line)
        row = re.match(r"^(\.\S+)\s+(\d+)\s+\d+$", line)
        if head:
            name = head.group(1)
        elif row and name and kind_of(row.group(1)):
            sizes[name][kind_of(row.group(1))] += int(row.group(2))
    return sizes


def places():
    """File names are unique in the tree, so that an object's name tells its folder."""
    lib = ROOT / "lib"
    return {path.stem: str(path.parent.relative_to(lib)) for path in lib.rglob("*.c")}


def show(title, rows):
    print(f"\n{title:34}" + "".join(f"{kind:>11}" for kind in KINDS) + f"{'together':>11}")
    for name, sizes in rows:
        print(f"{name:34}" + "".join(f"{sizes[kind]:11}" for kind in KINDS) + f"{sum(sizes.values()):11}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--most", type=int)
    args = parser.parse_args()
    for name in ("libaiorch.so", "libaiorch.a"):
        if not (args.build / name).exists():
            sys.exit(f"weight.py: {args.build / name} is not there; build it first")
    weight, sections = stripped((args.build / "libaiorch.so").resolve())
    files = objects(args.build / "libaiorch.a")
    folder_of = places()
    folders = collections.defaultdict(collections.Counter)
    for name, sizes in files.items():
        folders[folder_of.get(name, "data files, packed")].update(sizes)
    by_size = lambda table: sorted(table.items(), key=lambda row: (-sum(row[1].values()), row[0]))
    if args.json:
        print(json.dumps({"stripped": weight, "sections": sections, "folders": folders, "files": files}, indent=1))
    else:
        print(f"libaiorch.so, stripped: {weight} bytes")
        print("\n".join(f"  {name:20} {size:9}" for name, size in sections.items() if size >= 256))
        show("folder", by_size(folders))
        show("file", by_size(files)[: args.files])
    if args.most is not None and weight > args.most:
        sys.exit(f"weight.py: {weight} bytes; at most {args.most} were wanted")


if __name__ == "__main__":
    main()
