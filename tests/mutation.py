#!/usr/bin/env python3
"""Would the tests notice? Flips one condition, sign, constant or result at a time in the sources where a slip costs money
or gives away an answer, and runs the tests that should see it. A flip that no test sees has survived.

  mutation.py                       every flip (some minutes)
  mutation.py --sample N --seed S   N of them by lot; without --seed one is drawn, and printed
  mutation.py --file prices.c       one source; may be given several times
  mutation.py --id ID               one flip again; may be given several times
  mutation.py --list                the flips, without running any

The working tree is only read: it is copied to build/mutation, or --work FOLDER, and built there once; a flip compiles
one object and links the fitting tests with it. A flip that gives the same object as the source is not counted; one that
does not compile is not counted either. Time and memory of a test are limited; going over counts as noticed.

Exit 0 when at least 85 % are killed and every survivor is in tests/mutation-survivors.md (by its id, which changes with
the line, not with its number); else 1. Nothing beside Python's standard library is needed."""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SURVIVORS = ROOT / "tests" / "mutation-survivors.md"
COPIED = ["CMakeLists.txt", "cmake", "include", "lib", "sql", "pkgconfig", "schema", "scripts", "examples", "tests"]
WANTED_PERCENT = 85
MEMORY_KIB = 4 * 1024 * 1024
LONGEST_TEST_S = 120
# As the CI's own legs do, a step over the end of an array or of an integer counts as noticed.
FLAGS = "-O1 -fsanitize=undefined -fno-sanitize-recover=all"

# Source -> (functions, or None for all of it; the tests that should notice).
TARGETS = {
    "lib/cost/limits.c": (None, ["test_limits", "test_stage_rate_limit", "test_stage_validate"]),
    "lib/cost/usage.c": (None, ["test_usage", "test_prices"]),
    "lib/cost/prices.c": (None, ["test_prices", "test_prices_edges"]),
    "lib/pipeline/cache_scope.c": (None, ["test_cache_scope_digest", "test_cache_scope", "test_run_content"]),
    "lib/pipeline/stage_validate.c": (None, ["test_stage_validate", "test_stage_rate_limit", "test_engine"]),
    "lib/generate/route.c": (None, ["test_route", "test_route_limits", "test_stage_generate"]),
    "lib/generate/retry.c": (None, ["test_retry", "test_attempt", "test_stage_generate_retry"]),
    "lib/generate/breaker.c": (None, ["test_breaker", "test_health", "test_attempt", "test_stage_generate_retry"]),
    "lib/generate/stream_check.c": (None, ["test_stream_check", "test_stage_generate_output"]),
    "lib/generate/arguments_check.c": (None, ["test_arguments_check"]),
    "lib/generate/flight.c": (None, ["test_flight", "test_shared_call", "test_shared_call_crowd"]),
    "lib/generate/attempt.c": (None, ["test_attempt", "test_stage_generate_retry", "test_stage_generate_fallback"]),
    "lib/pipeline/attempt_end.c": (None, ["test_attempt_end", "test_stage_generate", "test_stage_generate_fallback", "test_stage_generate_retry"]),
    "lib/pipeline/stage_generate.c": (["attempt_failed", "give_up", "follow", "waiting"],
                                      ["test_stage_generate", "test_stage_generate_fallback", "test_stage_generate_retry",
                                       "test_shared_call", "test_shared_call_crowd"]),
    "lib/net/sse.c": (None, ["test_sse"]),
    "lib/net/ndjson.c": (None, ["test_ndjson"]),
    "lib/net/retry_after.c": (None, ["test_retry_after"]),
}

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>(?:0[xX][0-9A-Fa-f]+|\d+(?:\.\d+)?)\w*)
  | (?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL)

SWAPS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&",
         "+=": "-=", "-=": "+=", "++": "--", "--": "++"}
WORDS = {"true": "false", "false": "true"}
NUMBERS = {"0": "1", "1": "0"}
AFTER_OPERAND = re.compile(r"[\w)\]]$")
# What a result becomes, by the type of the function; {} is what stood there.
RESULTS = {"bool": "!({})", "aiorch_status": "AIORCH_E_INTERNAL", "int": "({}) + 1", "int32_t": "({}) + 1",
           "int64_t": "({}) + 1", "size_t": "({}) + 1", "pointer": "NULL"}

Token = collections.namedtuple("Token", "kind text start end")
Flip = collections.namedtuple("Flip", "id file line function what start end text")


# ---- the flips ----

def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def tokens_of(source):
    """Without preprocessor lines, white space and comments; offsets are those of the source."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*|\b_Static_assert\b[^;]*;", blank, source, flags=re.MULTILINE)
    found = []
    for match in TOKEN.finditer(code):
        kind = match.lastgroup
        if kind != "skip":
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return found


def functions_of(source):
    """(start, end, name, type) of each definition: they begin and end at the margin."""
    found = []
    head = re.compile(r"^(?!typedef|enum|struct \w+ \{|_Static)((?:static |const |struct )*)"
                      r"(\w+) (\**)(\w+)\(([^;{}]*)\) \{", re.MULTILINE)
    for match in head.finditer(source):
        end = source.index("\n}", match.start())
        one_line = source.find("\n", match.end())
        if source[match.end():one_line].rstrip().endswith("}"):
            end = one_line
        found.append((match.start(), end, match.group(4), "pointer" if match.group(3) else match.group(2)))
    return found


def operator_flips(tokens):
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i > 0 else None
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        binary = before is not None and before.text != "return" and AFTER_OPERAND.search(before.text)
        if token.kind == "op":
            if token.text in SWAPS:
                yield token.start, token.end, SWAPS[token.text], f"{token.text} -> {SWAPS[token.text]}"
            elif token.text in "+-" and binary:
                other = "-" if token.text == "+" else "+"
                yield token.start, token.end, other, f"{token.text} -> {other}"
            elif token.text == "-" and after and after.kind == "number":
                yield token.start, token.end, "", "sign dropped"
            elif token.text == "!":
                yield token.start, token.end, "", "! dropped"
        elif token.kind == "name" and token.text in WORDS:
            yield token.start, token.end, WORDS[token.text], f"{token.text} -> {WORDS[token.text]}"
        elif token.kind == "number" and token.text in NUMBERS:
            yield token.start, token.end, NUMBERS[token.text], f"{token.text} -> {NUMBERS[token.text]}"


def statement_flips(source, tokens, types):
    """Results changed, calls and case labels left out."""
    for i, token in enumerate(tokens):
        if token.text == "return":
            end = i + 1
            while tokens[end].text != ";":
                end += 1
            if end == i + 1:
                continue
            start, stop = tokens[i + 1].start, tokens[end].start
            value = source[start:stop]
            result = RESULTS.get(types(token.start))
            if result and value not in WORDS and value not in NUMBERS and value != "NULL":
                if value == "AIORCH_E_INTERNAL":
                    result = "AIORCH_OK"
                yield start, stop, result.format(value), f"result: {result.format('...')}"
        elif token.text == "case":
            end = i
            while tokens[end].text != ":":
                end += 1
            yield token.start, tokens[end].end, "", f"without {source[token.start:tokens[end].end]}"
        elif token.kind == "name" and tokens[i + 1].text == "(" and tokens[i - 1].text in (";", "{", "}"):
            depth, end = 0, i + 1
            while True:
                depth += {"(": 1, ")": -1}.get(tokens[end].text, 0)
                end += 1
                if depth == 0:
                    break
            if tokens[end].text == ";" and token.text not in ("return", "sizeof"):
                yield token.start, tokens[end].start, "", f"without the call of {token.text}"


def flips_of(file, source, wanted):
    tokens = tokens_of(source)
    functions = functions_of(source)

    def place(at):
        for start, end, name, kind in functions:
            if start <= at <= end:
                return name, kind
        return "", ""

    found, seen = [], collections.Counter()
    flips = [*operator_flips(tokens), *statement_flips(source, tokens, lambda at: place(at)[1])]
    for start, end, text, what in sorted(flips):
        function = place(start)[0]
        if wanted is not None and function not in wanted:
            continue
        line_start = source.rfind("\n", 0, start) + 1
        line_end = source.find("\n", start)
        line = " ".join(source[line_start:line_end].split())
        name = f"{file}|{function}|{line}|{what}"
        seen[name] += 1
        ident = hashlib.sha256(f"{name}|{seen[name]}".encode()).hexdigest()[:8]
        found.append(Flip(ident, file, source.count("\n", 0, start) + 1, function, what, start, end, text))
    return found


# ---- the private copy ----

def copy_tree(work):
    tree = work / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        for path in [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")):
            target = tree / path.relative_to(ROOT)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif "__pycache__" not in path.parts and path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists() or target.read_bytes() != path.read_bytes():
                    shutil.copyfile(path, target)
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not (ROOT / path.relative_to(tree)).exists():
            path.unlink()
    return tree


def run_or_die(command, log, **more):
    with open(log, "a", encoding="utf-8") as out:
        if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, **more).returncode != 0:
            sys.exit(f"mutation.py: {shlex.join(map(str, command))} failed; it says why in {log}")


class Build:
    def __init__(self, work, tests, jobs):
        self.work = work
        self.tree = copy_tree(work)
        self.dir = work / "build"
        log = work / "build.log"
        log.unlink(missing_ok=True)
        run_or_die(["cmake", "-S", self.tree, "-B", self.dir, "-G", "Unix Makefiles", "-DCMAKE_BUILD_TYPE=Debug",
                    f"-DCMAKE_C_FLAGS_DEBUG={FLAGS}", "-DAIORCH_WITH_TESTS=ON", "-DAIORCH_WITH_CLI=OFF",
                    "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"], log)
        run_or_die(["cmake", "--build", self.dir, "--parallel", str(jobs), "--target", *tests], log)
        self.compile = {}
        for entry in json.loads((self.dir / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"])
            if "aiorch_objects" in entry["command"] and path.is_relative_to(self.tree):
                name = path.relative_to(self.tree).as_posix()
                self.compile[name] = (shlex.split(entry["command"]), entry["directory"])

    def compile_to(self, file, source, output):
        """True when it compiles. The file's name may stand in the object: compiled from its own folder it has no other."""
        command, _ = self.compile[file]
        command = [word for word in command if not word.startswith("-Werror")]
        command[command.index("-o") + 1] = str(output)
        command[-1] = source.name
        return subprocess.run([*command, "-w", "-g0"], cwd=source.parent, capture_output=True).returncode == 0

    def original_of(self, file, source):
        """The object of the source as it is, in bytes; None when it does not compile."""
        folder = self.work / "originals" / file
        folder.mkdir(parents=True, exist_ok=True)
        path, output = folder / pathlib.Path(file).name, folder / "original.o"
        path.write_text(source, encoding="utf-8")
        return output.read_bytes() if self.compile_to(file, path, output) else None

    def link(self, test, objects, output):
        command = shlex.split((self.dir / "tests/CMakeFiles" / f"{test}.dir/link.txt").read_text())
        command[command.index("-o") + 1] = str(output)
        archive = next(i for i, word in enumerate(command) if word.endswith("libaiorch_testing.a"))
        command[archive:archive] = objects # first come, first served: the archive's own object is not asked for
        return subprocess.run(command, cwd=self.dir / "tests", capture_output=True).returncode == 0

    def run(self, program, folder, limit):
        """Seconds, or None when it failed."""
        tmp = folder / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        names = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        environment |= {"HOME": str(tmp), "TMPDIR": str(tmp), "AIORCH_TEST_TMP": str(tmp),
                        "AIORCH_ROOT": str(self.tree), "AIORCH_BUILD": str(self.dir)}
        start = time.monotonic()
        limited = ["sh", "-c", f'ulimit -c 0; ulimit -v {MEMORY_KIB}; exec "$0"', str(program)]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(limited, cwd=tmp, env=environment, **quiet) as process:
            try:
                code = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
        return time.monotonic() - start if code == 0 else None


# ---- the check ----

def baseline(build, tests):
    limits = {}
    for test in tests:
        folder = build.work / "baseline" / test
        folder.mkdir(parents=True, exist_ok=True)
        if not build.link(test, [], folder / test):
            sys.exit(f"mutation.py: {test} does not link")
        took = build.run(folder / test, folder, LONGEST_TEST_S)
        if took is None:
            sys.exit(f"mutation.py: {test} fails without any flip; mend that first")
        limits[test] = min(LONGEST_TEST_S, 10 * took + 10)
    return limits


def check(build, flip, source, original, tests, limits):
    """killed, survived, same (the compiler gives the same object) or broken (it does not compile)."""
    folder = build.work / "flips" / flip.id
    folder.mkdir(parents=True, exist_ok=True)
    file, output = folder / pathlib.Path(flip.file).name, folder / "flip.o"
    try:
        file.write_text(source[:flip.start] + flip.text + source[flip.end:], encoding="utf-8")
        if not build.compile_to(flip.file, file, output):
            return "broken", ""
        if original == output.read_bytes():
            return "same", ""
        for test in tests:
            if not build.link(test, [str(output)], folder / test):
                return "broken", ""
            if build.run(folder / test, folder, limits[test]) is None:
                return "killed", test
        return "survived", ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(flips, results):
    listed = SURVIVORS.read_text(encoding="utf-8") if SURVIVORS.exists() else ""
    counts, unlisted = collections.defaultdict(collections.Counter), 0
    for flip in flips:
        counts[flip.file][results[flip.id][0]] += 1
    survivors = [flip for flip in flips if results[flip.id][0] == "survived"]
    if survivors:
        print("\nsurvived:")
    for flip in survivors:
        known = f"`{flip.id}`" in listed
        unlisted += not known
        note = "" if known else "   (not listed)"
        print(f"  {flip.id} {flip.file}:{flip.line} {flip.function}: {flip.what}{note}")
    print(f"\n{'file':34} {'killed':>7} {'survived':>9} {'score':>7} {'same':>6} {'broken':>7}")
    total = collections.Counter()
    for file in TARGETS:
        if file in counts:
            total.update(counts[file])
            print_row(file, counts[file])
    percent = print_row("all", total)
    print(f"\n{percent:.1f} % killed ({WANTED_PERCENT} % wanted); "
          f"{unlisted} of {len(survivors)} survivors are not in {SURVIVORS.relative_to(ROOT)}")
    return 0 if percent >= WANTED_PERCENT and unlisted == 0 else 1


def print_row(name, count):
    counted = count["killed"] + count["survived"]
    percent = 100.0 * count["killed"] / counted if counted else 100.0
    print(f"{name:34} {count['killed']:7} {count['survived']:9} {percent:6.1f}% {count['same']:6} {count['broken']:7}")
    return percent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument("--file", action="append", metavar="NAME")
    parser.add_argument("--id", action="append", metavar="ID")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "mutation")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every flip and what became of it")
    return parser.parse_args()


def main():
    args = arguments()
    chosen = {file: target for file, target in TARGETS.items()
              if not args.file or any(file.endswith(name) for name in args.file)}
    if not chosen:
        sys.exit(f"mutation.py: no such source; there are {', '.join(TARGETS)}")
    flips, sources = [], {}
    for file, (functions, _) in chosen.items():
        sources[file] = (ROOT / file).read_text(encoding="utf-8")
        flips += flips_of(file, sources[file], functions)
    if args.id:
        flips = [flip for flip in flips if flip.id in args.id]
        chosen = {file: target for file, target in chosen.items() if any(flip.file == file for flip in flips)}
    if args.list:
        for flip in flips:
            print(f"{flip.id} {flip.file}:{flip.line} {flip.function}: {flip.what}")
        return 0
    if args.sample is not None:
        seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}")
        flips = sorted(random.Random(seed).sample(flips, min(args.sample, len(flips))), key=lambda f: (f.file, f.start))
    tests = sorted({test for _, names in chosen.values() for test in names})
    build = Build(args.work.resolve(), tests, args.jobs)
    limits = baseline(build, tests)
    originals = {file: build.original_of(file, source) for file, source in sources.items()}
    results = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {}
        for flip in flips:
            futures[pool.submit(check, build, flip, sources[flip.file], originals[flip.file],
                                chosen[flip.file][1], limits)] = flip
        for future in concurrent.futures.as_completed(futures):
            flip = futures[future]
            results[flip.id] = future.result()
            print(f"{results[flip.id][0]:9} {flip.file}:{flip.line} {flip.what}", flush=True)
    if args.json:
        args.json.write_text(json.dumps([flip._asdict() | {"result": results[flip.id]} for flip in flips], indent=1))
    return report(flips, results)


if __name__ == "__main__":
    sys.exit(main())
