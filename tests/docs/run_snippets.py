#!/usr/bin/env python3
"""Compiles and runs the code in README.md and docs/*.md. Every ```c and ```sh block follows a comment that says what to do:

  <!-- test: run -->           a whole program (sh: a script): it must succeed
  <!-- test: compile -->       a whole source file: it must compile without a warning
  <!-- test: compile body -->  statements: compiled as the body of a function that has the usual variables
  <!-- test: no (reason) -->   left alone

Programs run in a fresh folder; $AIORCH_LIB, $AIORCH_ROOT and, for sh blocks, the command line's folder in $PATH are what
ctest gave."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("AIORCH_ROOT") or pathlib.Path(__file__).parents[2]).resolve()
LIB = pathlib.Path(os.environ.get("AIORCH_LIB") or ROOT / "build" / "gcc" / "libaiorch.so").resolve()
WORK = pathlib.Path(os.environ.get("AIORCH_TEST_TMP") or ".").resolve()
MARK = re.compile(r"^<!--\s*test:\s*(run|compile body|compile|no\s*\(.+\))\s*-->$")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wno-unused-variable", "-Wno-unused-parameter", "-Wno-unused-but-set-variable",
         "-Werror", f"-I{ROOT / 'include'}"]
INCLUDES = "#include <aiorch/aiorch.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
BODY = INCLUDES + """void snippet(aiorch *orch, aiorch_config *config, aiorch_run *run, aiorch_error *error);
void snippet(aiorch *orch, aiorch_config *config, aiorch_run *run, aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  (void)status;
%s}
"""


def blocks(path):
    """(line, language, mark or None, code) of each c and sh block."""
    lines = path.read_text(encoding="utf-8").splitlines()
    mark, i = None, 0
    while i < len(lines):
        line = lines[i].strip()
        fence = re.match(r"^(```+)\s*(\w*)", line)
        if fence:
            end = i + 1
            while end < len(lines) and not lines[end].strip().startswith(fence.group(1)):
                end += 1
            if fence.group(2) in ("c", "sh"):
                yield i + 1, fence.group(2), mark, "\n".join(lines[i + 1:end]) + "\n"
            mark, i = None, end
        elif line:
            found = MARK.match(line)
            mark = found.group(1) if found else None
        i += 1


def run(command, folder, **environment):
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout}{done.stderr}"


def try_c(mark, code, folder):
    if mark == "compile body":
        code = BODY % code
    elif "#include" not in code:
        code = INCLUDES + code
    source = folder / "snippet.c"
    source.write_text(code, encoding="utf-8")
    compiler = os.environ.get("AIORCH_CC", "cc")
    if mark != "run":
        return run([compiler, *FLAGS, "-c", str(source), "-o", os.devnull], folder)
    link = [f"-L{LIB.parent}", "-laiorch", f"-Wl,-rpath,{LIB.parent}", "-pthread"]
    return run([compiler, *FLAGS, str(source), "-o", str(folder / "snippet"), *link], folder) or run(["./snippet"], folder)


def try_sh(mark, code, folder):
    if mark != "run":
        return run(["sh", "-n", "-c", code], folder)
    path = os.environ.get("PATH", "")
    if "AIORCH_CLI" in os.environ:
        path = f"{pathlib.Path(os.environ['AIORCH_CLI']).parent}:{path}"
    return run(["sh", "-e", "-c", code], folder, PATH=path)


def main():
    counts = {"tested": 0, "left alone": 0, "failed": 0}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), ROOT / "CONTRIBUTING.md"]:
        if not path.exists():
            print(f"{path.name} is not there")
            counts["failed"] += 1
            continue
        for line, language, mark, code in blocks(path):
            place = f"{path.relative_to(ROOT)}:{line}"
            if mark is None:
                problem = "no <!-- test: run | compile | compile body | no (reason) --> before the block"
            elif mark.startswith("no"):
                counts["left alone"] += 1
                continue
            else:
                folder = WORK / re.sub(r"\W", "_", place)
                folder.mkdir(parents=True, exist_ok=True)
                problem = (try_c if language == "c" else try_sh)(mark, code, folder)
            counts["failed" if problem else "tested"] += 1
            if problem:
                print(f"{place}: {problem}")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] or not counts["tested"] else 0


if __name__ == "__main__":
    sys.exit(main())
