#!/bin/sh
# Runs smoke.py against $AIORCH_LIB. An instrumented library needs the sanitizer's runtime before the interpreter's own
# libraries; leaks are the interpreter's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
case ${AIORCH_SANITIZE-} in
  *address*)
    LD_PRELOAD="$("$AIORCH_CC" -print-file-name=libasan.so) $("$AIORCH_CC" -print-file-name=libubsan.so)"
    ASAN_OPTIONS=detect_leaks=0
    export LD_PRELOAD ASAN_OPTIONS
    ;;
  thread)
    echo "SKIP: the interpreter is not instrumented for the thread sanitizer"
    exit 77
    ;;
esac
exec "$AIORCH_PYTHON" "$here/smoke.py" "$AIORCH_LIB"
