#!/bin/sh
# How the shared library is linked: its name for the loader, that it stays loaded, that nothing in it can be written after
# start, and what it stands on.
set -u
library=${1:?usage: link.sh LIBRARY}
failed=0

expect() {
  if ! readelf --dynamic --wide "$library" | grep -qE "$1"; then
    echo "$2"
    failed=1
  fi
}

expect '\(SONAME\).*\[libaiorch\.so\.0\]' "the SONAME is not libaiorch.so.0"
expect 'NODELETE' "not linked with -z nodelete"
expect 'BIND_NOW|FLAGS.*NOW' "not linked with -z now"
if readelf --dynamic --wide "$library" | grep -qE 'RPATH|RUNPATH|TEXTREL'; then
  echo "has an RPATH, a RUNPATH or text relocations"
  failed=1
fi
if readelf --program-headers --wide "$library" | grep 'GNU_STACK' | grep -q 'E '; then
  echo "wants an executable stack"
  failed=1
fi
for needed in $(readelf --dynamic --wide "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
  case $needed in
    libcjson.so.* | libpcre2-8.so.* | libutf8proc.so.* | libsqlite3.so.* | libz.so.* | libcurl.so.* | libpq.so.* | libm.so.* | libc.so.* | libpthread.so.*) ;;
    ld-linux*.so.*) ;;
    *) echo "needs $needed"; failed=1 ;;
  esac
done
[ $failed -eq 0 ] && echo "linked as it should be"
exit $failed
