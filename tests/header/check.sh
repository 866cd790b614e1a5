#!/bin/sh
# The public headers, each alone, as C99, C11 and C++11 with gcc and clang: no warning, no padding, nothing that a
# compiler does not know by itself but <stddef.h> and <stdint.h>.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=${AIORCH_TEST_TMP:-$(mktemp -d)}
failed=0
checked=0

# Only standard headers that every freestanding compiler has may be included.
if grep -nE '^[[:space:]]*#[[:space:]]*include' "$root"/include/aiorch/*.h | grep -vE '<(aiorch/[a-z]+\.h|stddef\.h|stdint\.h)>'; then
  echo "the includes above are not allowed in a public header"
  failed=1
fi

# what a compiler says about one header must be nothing at all
check() {
  checked=$((checked + 1))
  if ! "$@" -I"$root/include" -fsyntax-only "$source" >"$work/said" 2>&1 || [ -s "$work/said" ]; then
    echo "failed: $* on $(cat "$source")"
    head -20 "$work/said"
    failed=1
  fi
}

warnings="-Wall -Wextra -pedantic -Werror -Wpadded -Wconversion -Wundef -Wshadow"
c_only="-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition"

# Noise: dialects older than the one chosen; names that begin with an underscore in the system's headers; two parameters
# behind one @param, which Doxygen knows and clang does not.
everything="-Weverything -Werror"
quiet_c="-Wno-reserved-macro-identifier -Wno-reserved-identifier -Wno-documentation"
quiet_cxx="$quiet_c -Wno-c++98-compat -Wno-c++98-compat-pedantic"

for header in "$root"/include/aiorch/*.h; do
  name=aiorch/$(basename "$header")
  source=$work/one.c
  # twice: the guard must hold; the typedef keeps the unit from being empty
  printf '#include <%s>\n#include <%s>\ntypedef int not_empty;\n' "$name" "$name" >"$source"
  # shellcheck disable=SC2086 # options are words
  for standard in c99 c11; do
    check gcc -std=$standard $warnings $c_only
    check clang -std=$standard $warnings $c_only
    check clang -std=$standard $everything $quiet_c
  done
  source=$work/one.cc
  printf '#include <%s>\n#include <%s>\n' "$name" "$name" >"$source"
  # shellcheck disable=SC2086
  {
    check g++ -std=c++11 $warnings
    check g++ -std=c++20 $warnings
    check clang++ -std=c++11 $warnings
    check clang++ -std=c++11 $everything $quiet_cxx
  }
done

[ $failed -eq 0 ] && echo "$checked header checks passed"
exit $failed
