#!/usr/bin/env python3
"""The law of the compiled library, read from the objects in libaiorch.a: no writable state of the process, and none of the
functions that a guest in another's process must not call.

  check_objects.py ARCHIVE    prints every breach, exit 1 when there is one"""
import re
import subprocess
import sys

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


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = check_calls(sys.argv[1]) + check_state(sys.argv[1])
    for problem in sorted(set(problems)):
        print(problem)
    if not problems:
        print("the objects keep the law")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
