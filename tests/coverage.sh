#!/bin/sh
# Line and branch coverage of lib/ by the unit, API, command line, example and fault tests and the fuzz corpora. Builds in
# build/coverage, prints a table by folder, the files with the most uncovered lines and the two figures, and writes
# build/coverage/html/index.html (every line), coverage.txt (by file) and coverage.json beside it. What is left out of the count is named in gcovr.cfg.
#
#   sh tests/coverage.sh                 takes some minutes; not a leg of tests/run.sh
#   sh tests/coverage.sh --label LABEL   only tests with this label, for the edit loop (unit, api, cli, fault, fuzz)
#   sh tests/coverage.sh --report        no tests: the report of what the last ones have left
#
# BUILD=folder builds there; JOBS=n builds and tests n at a time. Exit 1 when a test failed, or when less than 95 % of the
# lines or 85 % of the branches were reached by the whole set.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
build=${BUILD:-$root/build/coverage}
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
labels='^(unit|api|cli|fault|fuzz|example)$'
tests=yes
least_lines=95
least_branches=85

while [ $# -gt 0 ]; do
  case $1 in
    --label)
      labels="^${2?--label needs a label}\$" least_lines=0 least_branches=0
      shift
      ;;
    --report) tests=no ;;
    -h | --help) sed -n '2,/^set -u/s/^# \{0,1\}//p' tests/coverage.sh; exit 0 ;;
    *) echo "tests/coverage.sh: unknown argument: $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done
if ! command -v gcovr >/dev/null 2>&1; then
  echo "SKIP: gcovr is not installed"
  exit 77
fi

mkdir -p "$build/html"
failed=0
if [ "$tests" = yes ]; then
  # Without optimization, so that a line is a line; counters are atomic, since the tests start threads.
  if ! { cmake -S "$root" -B "$build" -G "Unix Makefiles" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
    "-DCMAKE_C_FLAGS=--coverage -fprofile-update=atomic" -DCMAKE_C_FLAGS_DEBUG=-O0 -DAIORCH_WITH_TESTS=ON &&
    cmake --build "$build" --parallel "$jobs"; } >"$build/build.log" 2>&1; then
    grep -nE 'error:|undefined reference|CMake Error' "$build/build.log" | head -n 20
    echo "the build failed: $build/build.log"
    exit 1
  fi
  find "$build" -name '*.gcda' -delete
  ctest --test-dir "$build" --parallel "$jobs" --no-tests=error --output-on-failure --label-regex "$labels" \
    >"$build/tests.log" 2>&1 || failed=1
  grep -E 'tests passed|tests failed' "$build/tests.log"
  [ $failed -eq 0 ] || sed -n '/The following tests FAILED/,/^$/p' "$build/tests.log"
fi

gcovr --root "$root" --config gcovr.cfg --object-directory "$build" -j "$jobs" --json "$build/coverage.json" \
  "$build/lib" >"$build/gcovr.log" 2>&1 || { tail -n 5 "$build/gcovr.log"; exit 1; }
gcovr --root "$root" --config gcovr.cfg --add-tracefile "$build/coverage.json" --txt "$build/coverage.txt" \
  --json-summary "$build/summary.json" --html-details "$build/html/index.html" >>"$build/gcovr.log" 2>&1 ||
  { tail -n 5 "$build/gcovr.log"; exit 1; }

python3 - "$build/summary.json" "$least_lines" "$least_branches" <<'PYTHON' || failed=1
import collections
import json
import sys

summary = json.load(open(sys.argv[1], encoding="utf-8"))
folders = collections.defaultdict(lambda: [0, 0, 0, 0])
for file in summary["files"]:
    for name in (file["filename"].split("/")[1], "all of lib/"):
        for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            folders[name][i] += file[key]
percent = lambda part, whole: 100.0 * part / whole if whole else 100.0
print(f"\n{'folder':14} {'lines':>15} {'':8} {'branches':>15}")
for name in sorted(folders, key=lambda name: (name == "all of lib/", name)):
    line, lines, branch, branches = folders[name]
    print(f"{name:14} {line:7}/{lines:<7} {percent(line, lines):6.1f} %"
          f" {branch:7}/{branches:<7} {percent(branch, branches):6.1f} %")
print("\nmost uncovered lines:")
for file in sorted(summary["files"], key=lambda f: f["line_covered"] - f["line_total"])[:10]:
    print(f"  {file['line_total'] - file['line_covered']:4} {file['filename']}")
line, lines, branch, branches = folders["all of lib/"]
print(f"\nlines {percent(line, lines):.1f} % (95 wanted), branches {percent(branch, branches):.1f} % (85 wanted)")
sys.exit(percent(line, lines) < float(sys.argv[2]) or percent(branch, branches) < float(sys.argv[3]))
PYTHON
echo "every line: $build/html/index.html"
exit $failed
