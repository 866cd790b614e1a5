#!/bin/sh
# Installs the build into a prefix, moves the prefix, and builds strangers against it: a CMake project by find_package, and
# plain cc with what pkg-config says; shared, static, and C++.
set -eu
cmake=${1:-cmake}
here=$(cd "$(dirname "$0")" && pwd)
work=${AIORCH_TEST_TMP:?}

"$cmake" --install "$AIORCH_BUILD" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
libdir=$(dirname "$(find "$prefix" -name libaiorch.a)")

if [ -n "${AIORCH_CLI-}" ]; then
  echo "== the command line, beside its library"
  "$prefix/bin/aiorch" version
fi

echo "== find_package"
"$cmake" -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; exit 1; }
"$cmake" --build "$work/cmake" >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; exit 1; }
for program in stranger_shared stranger_static stranger_cxx; do
  "$work/cmake/$program"
done

echo "== cc and pkg-config"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
pkg-config --exists --print-errors aiorch
# shellcheck disable=SC2046 # flags are words
cc -std=c99 "$here/stranger.c" -o "$work/shared" $(pkg-config --cflags --libs aiorch)
LD_LIBRARY_PATH="$libdir" "$work/shared"
LD_LIBRARY_PATH="$libdir" ldd "$work/shared" | grep -q "$libdir/libaiorch.so.0"
# shellcheck disable=SC2046
c++ -std=c++11 "$here/stranger_cxx.cc" -o "$work/cxx" $(pkg-config --cflags --libs aiorch)
LD_LIBRARY_PATH="$libdir" "$work/cxx"

echo "== the same, static"
rm "$libdir"/libaiorch.so*
# shellcheck disable=SC2046
cc -std=c99 "$here/stranger.c" -o "$work/static" $(pkg-config --static --cflags --libs aiorch)
"$work/static"
if ldd "$work/static" | grep libaiorch; then
  echo "linked to a shared libaiorch after all"
  exit 1
fi
echo "every stranger got an answer"
