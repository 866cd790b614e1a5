#!/bin/sh
# Installs what is missing, builds and tests everything, from a bare clone. The last line is "N passed, N failed", where a
# build that must succeed without a warning counts as a test; the exit code is 0 when nothing failed.
#
#   sh tests/run.sh              every leg
#   sh tests/run.sh --quick      an incremental build and the unit tests, for the edit loop
#   sh tests/run.sh --leg NAME   one leg; may be given several times
#   sh tests/run.sh --live       the leg live, after building a real model's server and a machine with systemd for it, once (minutes; 1 GB)
#
#   gcc    Release, warnings as errors: unit and API tests, command line, examples, bindings
#   nets   on that build: ABI, headers, the law of the tree, strangers' projects, snippets of the documentation, the server behind nginx,
#          Caddy and systemd's tools
#   oracle on that build: the codecs of the providers beside the services' own SDKs, which come from npm; the server beside clients, tokens and
#          requests that others make (npm, pip)
#   live   on that build: the command line against servers that others wrote: aimock, which comes from npm, over TLS; and a small
#          real model behind llama.cpp's server, and the systemd units in a Debian that boots, where --live has built them; else it says so
#   clang  the same build with clang, warnings as errors
#   asan   all tests with the address and undefined behaviour sanitizers
#   tsan   tests that start threads, with the thread sanitizer
#
# JOBS=n builds and tests n at a time (default: as many as there are processors). Logs: build/logs. What is installed for the leg live
# is kept in $AIORCH_TEST_CACHE (default: $XDG_CACHE_HOME/aiorch-tests, else ~/.cache/aiorch-tests).
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
logs=$root/build/logs
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
# -g changes no code; the third ABI net reads types from it.
release="-DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-g -DAIORCH_WERROR=ON"
# Instrumented code makes gcc warn of what cannot happen: warnings are for the other two builds.
instrumented="-DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1 -DAIORCH_WERROR=OFF"
all_legs="gcc nets oracle live clang asan tsan"
export AIORCH_TEST_CACHE="${AIORCH_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/aiorch-tests}"
passed=0
failed=0

usage() {
  sed -n '2,/^set -u/s/^# \{0,1\}//p' tests/run.sh
}

say() {
  printf '%s\n' "$*"
}

count_failure() {
  failed=$((failed + 1))
  say "  FAILED: $1"
}

# build LEG TARGETS CMAKE_ARGUMENTS...: configures and builds; says everything that is wrong at once.
build() {
  local leg=$1 targets=$2 log=$logs/$1-build.log
  shift 2
  if ! cmake -S "$root" -B "build/$leg" -G "Unix Makefiles" -DAIORCH_WITH_TESTS=ON "$@" >"$log" 2>&1; then
    tail -n 30 "$log"
    count_failure "$leg: configure (build/logs/$leg-build.log)"
    return 1
  fi
  # shellcheck disable=SC2086 # targets are words
  if ! cmake --build "build/$leg" --parallel "$jobs" --target $targets -- --keep-going >>"$log" 2>&1; then
    grep -E 'error:|undefined reference|No rule|CMake Error' "$log" | sort -u | head -n 30
    count_failure "$leg: build (build/logs/$leg-build.log)"
    return 1
  fi
}

# run_tests LEG CTEST_ARGUMENTS...: runs the tests of build/BUILD, counts them, and says what failed and what was skipped.
run_tests() {
  local leg=$1 dir=$2 log=$logs/$1-tests.log ran=0 bad=0 skipped=0
  shift 2
  ${SETARCH-} ctest --test-dir "build/$dir" --parallel "$jobs" --no-tests=error --output-on-failure "$@" >"$log" 2>&1
  ran=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#' "$log")
  skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*(Skipped|Not Run)' "$log")
  bad=$(grep -E '^ *[0-9]+/[0-9]+ Test +#' "$log" | grep -vE ' Passed |\*\*\*(Skipped|Not Run)' | wc -l)
  if [ "$ran" -eq 0 ]; then
    tail -n 5 "$log"
    count_failure "$leg: no test ran (build/logs/$leg-tests.log)"
    return
  fi
  passed=$((passed + ran - bad - skipped))
  failed=$((failed + bad))
  if [ "$bad" -gt 0 ]; then
    grep -E '^ *[0-9]+/[0-9]+ Test +#' "$log" | grep -vE ' Passed |\*\*\*(Skipped|Not Run)' \
      | sed -E 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: (\S+) \.*/  FAILED: \1 /'
    say "  what they said: build/logs/$leg-tests.log"
  fi
  if [ "$skipped" -gt 0 ]; then
    grep -E '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*(Skipped|Not Run)' "$log" | sed -E 's/^.*Test +#[0-9]+: (\S+) .*/\1/' |
      while read -r name; do
        reason=$(sed -n "\\|Testing: $name\$|,/end time/s/^SKIP: //p" "build/$dir/Testing/Temporary/LastTest.log" | head -n 1)
        say "  skipped: $name: ${reason:-no reason given}"
      done
  fi
  say "  $((ran - bad - skipped)) of $ran tests passed"
}

leg_gcc() {
  build gcc all $release || return
  passed=$((passed + 1))
  run_tests gcc gcc --label-exclude "^(net|oracle|live)\$"
}

leg_nets() {
  build gcc all $release || return
  run_tests nets gcc --label-regex "^net\$"
}

leg_oracle() {
  build gcc "codec_tool aiorch_cli" $release || return
  run_tests oracle gcc --label-regex "^oracle\$"
}

leg_live() {
  build gcc aiorch_cli $release || return
  run_tests live gcc --label-regex "^live\$"
}

leg_clang() {
  build clang all -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release -DAIORCH_WERROR=ON || return
  passed=$((passed + 1))
  say "  no warning"
}

leg_asan() {
  build asan all $instrumented -DAIORCH_SANITIZE=address,undefined || return
  run_tests asan asan --label-exclude "^(oracle|live)\$"
}

# Some kernels place memory where the thread sanitizer of this compiler cannot follow; without randomization it can.
probe_tsan() {
  local probe=$logs/tsan_probe
  echo 'int main(void) { return 0; }' >"$probe.c"
  SETARCH=
  if ! gcc -fsanitize=thread "$probe.c" -o "$probe" >"$probe.log" 2>&1; then
    say "  skipped: gcc has no thread sanitizer here"
    return 1
  fi
  "$probe" >>"$probe.log" 2>&1 && return 0
  SETARCH="setarch $(uname -m) -R"
  $SETARCH "$probe" >>"$probe.log" 2>&1 && return 0
  say "  skipped: programs of the thread sanitizer do not start here (build/logs/tsan_probe.log)"
  return 1
}

leg_tsan() {
  probe_tsan || return
  build tsan aiorch_threads $instrumented -DAIORCH_SANITIZE=thread || return
  run_tests tsan tsan --label-regex "^threads\$"
  SETARCH=
}

run_leg() {
  local start; start=$(date +%s)
  say "== $1"
  "leg_$1"
  say "  $(($(date +%s) - start)) s"
}

quick() {
  local start; start=$(date +%s)
  say "== quick"
  # In the build of the leg gcc, so that nothing is built twice.
  build gcc aiorch_unit $release && run_tests quick gcc --label-regex "^unit\$"
  say "  $(($(date +%s) - start)) s"
}

legs=
mode=all
while [ $# -gt 0 ]; do
  case $1 in
    --quick) mode=quick ;;
    --live) mode=live; legs="$legs live" ;;
    --leg)
      case " $all_legs " in
        *" ${2-} "*) legs="$legs $2" ;;
        *) say "tests/run.sh: no leg \"${2-}\"; there are: $all_legs" >&2; exit 2 ;;
      esac
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) say "tests/run.sh: unknown argument: $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done

mkdir -p "$logs"
sh scripts/install-deps.sh --tests || { say "0 passed, 1 failed"; exit 1; }
# Without them tests are skipped: in the edit loop that may be, in a run of everything it is a failure.
sh scripts/get-test-models.sh || [ "$mode" = quick ] || count_failure "models for tests (scripts/get-test-models.sh)"
sh scripts/get-pgvector.sh >"$logs/pgvector.log" 2>&1 || [ "$mode" = quick ] ||
  count_failure "pgvector for tests (scripts/get-pgvector.sh; build/logs/pgvector.log)"

if [ "$mode" = live ]; then
  build gcc aiorch_cli $release && AIORCH_CLI=$root/build/gcc/examples/cli/aiorch sh tests/server/deploy/_machine.sh --make
  sh tests/live/llama.sh --build || count_failure "a real model's server (tests/live/llama.sh --build)"
fi
if [ "$mode" = quick ]; then
  quick
else
  for leg in ${legs:-$all_legs}; do
    run_leg "$leg"
  done
fi
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
