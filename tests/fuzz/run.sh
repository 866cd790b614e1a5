#!/bin/sh
# Fuzzes every target for a number of seconds, two at a time, with clang's libFuzzer and the address and undefined behaviour
# sanitizers, and prints a table. New inputs are kept in build/fuzz/corpus; crashes in build/fuzz/crashes. Exit 1 when
# there was a crash, a leak, a hang (25 s for one input) or when a target needed more than 2 GiB.
#
#   sh tests/fuzz/run.sh SECONDS [TARGET...]      for example: sh tests/fuzz/run.sh 60 chunk html
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
seconds=${1-}
case $seconds in
  '' | *[!0-9]*) sed -n '2,/^set -u/s/^# \{0,1\}//p' tests/fuzz/run.sh; exit 2 ;;
esac
shift
if ! command -v clang >/dev/null 2>&1; then
  echo "SKIP: clang is not installed"
  exit 77
fi

build=$root/build/fuzz
mkdir -p "$build/corpus" "$build/crashes" "$build/logs" "$build/tmp"
flags="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
if ! { cmake -S . -B "$build" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS=$flags" \
  -DAIORCH_WITH_TESTS=ON -DAIORCH_WITH_CLI=ON -DAIORCH_INSTALL=OFF -DAIORCH_FUZZER=ON &&
  cmake --build "$build" --parallel 2 --target aiorch_fuzz_targets; } >"$build/logs/build.log" 2>&1; then
  grep -nE 'error:|undefined reference' "$build/logs/build.log" | head -n 20
  echo "the build failed: build/fuzz/logs/build.log"
  exit 1
fi

fuzz_one() {
  local name=$1 dictionary=
  rm -rf "${build:?}/crashes/$name"
  mkdir -p "$build/corpus/$name" "$build/crashes/$name" "$build/tmp/$name"
  [ -f "tests/fuzz/dict/$name.dict" ] && dictionary=-dict=$root/tests/fuzz/dict/$name.dict
  # shellcheck disable=SC2086 # the dictionary is one word or none
  (cd "$build/tmp/$name" && TMPDIR=$build/tmp/$name UBSAN_OPTIONS=print_stacktrace=1 \
    "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$build/crashes/$name/" $dictionary \
    "$build/corpus/$name" "$root/tests/fuzz/corpus/$name") >"$build/logs/$name.log" 2>&1
  echo $? >"$build/logs/$name.exit"
}

names=$*
if [ -z "$names" ]; then
  for file in tests/fuzz/fuzz_*.c; do
    name=$(basename "$file" .c)
    [ "$name" = fuzz_support ] || names="$names ${name#fuzz_}"
  done
fi
for name in $names; do
  [ -x "$build/tests/fuzz/fuzz_$name" ] || { echo "no target $name"; exit 2; }
done

set -- $names
while [ $# -gt 0 ]; do
  fuzz_one "$1" &
  first=$!
  shift
  if [ $# -gt 0 ]; then
    fuzz_one "$1" &
    wait $!
    shift
  fi
  wait $first
done

bad=0
printf '%-16s %12s %10s %10s %8s  %s\n' target executions per_second new_inputs crashes result
for name in $names; do
  log=$build/logs/$name.log
  stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
  crashes=$(find "$build/crashes/$name" -type f 2>/dev/null | wc -l)
  result=ok
  if [ "$(cat "$build/logs/$name.exit")" -ne 0 ] || [ "$crashes" -gt 0 ]; then
    bad=1
    result="FAILED: build/fuzz/logs/$name.log"
  fi
  executions=$(stat number_of_executed_units)
  rate=$(stat average_exec_per_sec)
  new=$(stat new_units_added)
  printf '%-16s %12s %10s %10s %8s  %s\n' "$name" "${executions:--}" "${rate:--}" "${new:--}" "$crashes" "$result"
done
exit $bad
