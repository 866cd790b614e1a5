#!/bin/sh
# The third ABI net: compares a shared library, built with -g, with tests/abi/baseline.abi.
#
#   sh tests/abi/abidiff.sh LIBRARY            exit 0 the same, 1 not, 77 cannot be told
#   sh tests/abi/abidiff.sh LIBRARY --update   makes LIBRARY the baseline
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
library=${1:?usage: abidiff.sh LIBRARY [--update]}
baseline=$here/baseline.abi

# What it sees: the types of the public headers, nothing of what is behind the opaque handles.
seen="--headers-dir $root/include/aiorch --drop-private-types"

if [ ! -f "$library" ]; then
  echo "$library is not there"
  exit 1
fi
if ! command -v abidiff >/dev/null 2>&1; then
  echo "SKIP: abidiff is not installed (Debian: abigail-tools)"
  exit 77
fi
if ! readelf --sections --wide "$library" | grep -q '\.debug_info'; then
  echo "SKIP: $library has no debug information; build it with -g"
  exit 77
fi

if [ "${2-}" = --update ]; then
  # Paths of the machine that made the baseline say nothing about the interface.
  # shellcheck disable=SC2086 # options are words
  abidw $seen --no-comp-dir-path --no-corpus-path --no-show-locs --out-file "$baseline" "$library"
  exit
fi

# shellcheck disable=SC2086
abidiff --headers-dir1 "$root/include/aiorch" --headers-dir2 "$root/include/aiorch" --drop-private-types \
  --no-added-syms --suppressions "$here/ok.abignore" "$baseline" "$library"
code=$?
if [ $code -ne 0 ]; then
  echo "the interface has changed (abidiff: $code). If it may: tests/abi/abidiff.sh LIBRARY --update, and CHANGELOG.md"
  exit 1
fi
echo "the interface is that of tests/abi/baseline.abi"
