#!/usr/bin/env python3
"""The law of the compiled library, read from the objects in libaiorch.a: no writable state of the process, none of the
functions that a guest in another's process must not call, and none of its own that only tests call.

  check_objects.py ARCHIVE    prints every breach, exit 1 when there is one"""
import pathlib
import re
import subprocess
import sys

LIB = pathlib.Path(__file__).resolve().parents[2] / "lib"

# Function -> the objects that may call it (without .c.o).
BANNED = {
    # the process's memory: everything else goes through the handle's allocator
    **{name: {"alloc"} for name in ("malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf", "vasprintf")},
    # the process's streams, locale, signals, hooks and end
    **{name: set() for name in (
        "printf", "__printf_chk", "puts", "putchar", "perror", "stdout", "stderr", "stdin", "setlocale", "uselocale",
        "signal", "sigaction", "atexit", "exit", "_exit", "abort", "system", "popen", "putenv", "setenv", "unsetenv",
        "chdir", "umask", "sqlite3_config", "sqlite3_initialize", "sqlite3_shutdown", "cJSON_InitHooks",
        "cJSON_GetErrorPtr", "curl_global_init_mem")},
    # not safe with threads, not bounded, or another answer in another locale
    **{name: set() for name in (
        "strtok", "localtime", "gmtime", "ctime", "asctime", "rand", "srand", "random", "readdir_r", "tmpnam",
        "gets", "strcpy", "strcat", "sprintf", "__sprintf_chk", "vsprintf", "strcoll", "strftime", "atof", "atoi",
        "strtof", "strtold", "scanf", "sscanf", "__isoc99_sscanf", "tolower", "toupper", "isalpha", "isdigit")},
    # both give it the decimal point of the locale, whichever that is just now
    "strtod": {"buf", "options_text"},
}

# Functions that nothing in the library calls: what tests, benchmarks and fuzzers cannot do without.
FOR_TESTS = {
    "aio__config_set_clock",   # the virtual clock
    "aio__cpu_name",           # which level of instructions was measured
    "aio__index_count",        # what an index has lost or kept, looked at from outside
    "aio__prices_count",       # the same of a table of prices
    "aio__residents_bytes",    # the same of the indexes in memory
    "aio__safetensors_parse",  # a header of any bytes, without a file
}


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def check_calls(archive):
    problems = []
    for line in tool("nm", "--print-file-name", "--undefined-only", archive):
        where, _, name = line.rpartition(" ")
        match = re.search(r":([^:]+)\.c\.o:", where)
        allowed = BANNED.get(name)
        if match and allowed is not None and match.group(1) not in allowed:
            problems.append(f"{match.group(1)}.c: uses {name}")
    return problems


def check_state(archive):
    """Variables in writable sections; tables of pointers in .data.rel.ro are constant after loading."""
    problems = []
    source = "?"
    for line in tool("objdump", "--syms", archive):
        header = re.match(r"(\S+?)(\.c)?\.o:\s+file format", line)
        if header:
            source = header.group(1)
        match = re.match(r"[0-9a-f]+ .{7} (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(\S+)$", line)
        if match is None or int(match.group(2), 16) == 0:
            continue
        section, name = match.group(1), match.group(3)
        if re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)", section) or section == "*COM*":
            problems.append(f"{source}.c: {name} is a variable of the process ({section})")
    return problems


def check_callers(archive):
    """A function of ours that no other object asks for, and whose own file names it once: where it is defined."""
    homes, asked = {}, set()
    for line in tool("nm", "--print-file-name", archive):
        match = re.search(r":([^:]+)\.c\.o:[0-9a-f ]* ([A-Za-z]) (aio__\w+)$", line)
        if match and match.group(2) == "U":
            asked.add(match.group(3))
        elif match and match.group(2) == "T":
            homes[match.group(3)] = match.group(1)
    if not {"http", "postgres"} <= set(homes.values()):
        return []  # a build without them leaves much uncalled
    sources = {path.stem: re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in LIB.rglob("*.c")}
    unasked = {name for name, home in homes.items()
               if name not in asked and len(re.findall(rf"\b{name}\b", sources.get(home, ""))) < 2}
    problems = [f"{homes[name]}.c: nothing in the library calls {name}" for name in unasked - FOR_TESTS]
    return problems + [f"check_objects.py: {name} is used, or is no more: it need not be in FOR_TESTS" for name in FOR_TESTS - unasked]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = check_calls(sys.argv[1]) + check_state(sys.argv[1]) + check_callers(sys.argv[1])
    for problem in sorted(set(problems)):
        print(problem)
    if not problems:
        print("the objects keep the law")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
