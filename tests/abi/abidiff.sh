#!/bin/sh
# The third ABI net: compares a shared library, built with -g, with tests/abi/baseline.abi.
#
#   sh tests/abi/abidiff.sh LIBRARY    exit 0 the same, 1 not, 77 cannot be told
#   sh tests/abi/abidiff.sh --update   makes the baseline anew from the public headers
#
# The baseline is made from a library of empty functions that knows the public headers alone: what is behind the opaque
# handles is not in it, and may change. That the headers themselves do not change unseen is what the file is for.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
baseline=$here/baseline.abi

# Every declaration of the headers as a function without a body worth the name.
surface() {
  echo '#include <aiorch/aiorch.h>'
  cat "$root"/include/aiorch/*.h | tr '\n' ' ' | sed 's|/\*[^*]*\*\**\([^/*][^*]*\*\**\)*/| |g' |
    grep -oE 'AIORCH_API [^;#]*\);' | sed 's/^AIORCH_API //; s/;$/ { __builtin_trap(); }/'
}

update() {
  work=$(mktemp -d) || exit 1
  trap 'rm -rf "$work"' EXIT
  surface >"$work/surface.c"
  if [ "$(grep -c __builtin_trap "$work/surface.c")" -ne "$(grep -vc '^#' "$here/symbols.txt")" ]; then
    echo "the headers and tests/abi/symbols.txt disagree; first: python3 tests/abi/symbols.py --update"
    exit 1
  fi
  cd "$work" && gcc -std=c11 -g -O0 -fPIC -shared -w -I"$root/include" -ffile-prefix-map="$root"=. -ffile-prefix-map="$work"=. \
    -Wl,--version-script="$root/lib/aiorch.map" -Wl,-soname,libaiorch.so.0 surface.c -o libaiorch.so &&
    abidw --no-comp-dir-path --no-corpus-path --no-show-locs --no-elf-needed --no-parameter-names --out-file "$baseline" libaiorch.so
}

if ! command -v abidiff >/dev/null 2>&1; then
  echo "SKIP: abidiff is not installed (Debian: abigail-tools)"
  exit 77
fi
if [ "${1-}" = --update ]; then
  update
  exit
fi

library=${1:?usage: abidiff.sh LIBRARY | --update}
if [ ! -f "$library" ]; then
  echo "$library is not there"
  exit 1
fi
if ! readelf --sections --wide "$library" | grep -q '\.debug_info'; then
  echo "SKIP: $library has no debug information; build it with -g"
  exit 77
fi
abidiff --no-added-syms --suppressions "$here/ok.abignore" "$baseline" "$library"
code=$?
if [ $code -ne 0 ]; then
  echo "the interface has changed (abidiff: $code). If it may: sh tests/abi/abidiff.sh --update, and CHANGELOG.md"
  exit 1
fi
echo "the interface is that of tests/abi/baseline.abi"
