#!/bin/sh
# A stranger's project that has libaiorch in a folder of its own: builds it with add_subdirectory and runs.
set -eu
cmake=${1:-cmake}
here=$(cd "$(dirname "$0")" && pwd)
work=${AIORCH_TEST_TMP:?}

"$cmake" -S "$here" -B "$work/build" -DAIORCH_SUBDIRECTORY="$AIORCH_ROOT" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 \
  >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/build" --parallel 2 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for program in stranger_shared stranger_static stranger_cxx; do
  "$work/build/$program"
done
echo "every stranger got an answer"
