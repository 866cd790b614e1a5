#!/bin/sh
# The command line against @copilotkit/aimock: sh tests/live/aimock.sh. Installs it once with npm, by the lock file, in
# $AIORCH_TEST_CACHE/aimock (tests/run.sh sets it; else build/live of the tree). Needs no service and no key.
set -u
here=$(cd "$(dirname "$0")" && pwd)
place=${AIORCH_TEST_CACHE:-$here/../../build/live}/aimock
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
  echo "SKIP: npm and node are not installed"
  exit 77
fi
mkdir -p "$place" || exit 1
place=$(cd "$place" && pwd)
if ! cmp -s "$here/package-lock.json" "$place/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$place/"
  if ! (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund) >"$place/npm.log" 2>&1; then
    tail -n 5 "$place/npm.log"
    if grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E40[34]|network' "$place/npm.log"; then
      echo "SKIP: npm reaches no index ($place/npm.log)"
      exit 77
    fi
    exit 1
  fi
  cp "$place/package-lock.json" "$place/installed-lock.json"
fi
# It needs node 20.15; the leg oracle brings one along where the system's is older.
node=
for own in "$(command -v node)" "$here"/../../build/oracle/node_modules/node-linux-*/bin/node; do
  if [ -z "$node" ] && [ -x "$own" ] && [ "$("$own" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 20 ]; then
    node=$own
  fi
done
if [ -z "$node" ]; then
  echo "SKIP: aimock needs node 20.15 or later; this is $(node --version)"
  exit 77
fi
export AIORCH_AIMOCK_NODE="$node" AIORCH_AIMOCK="$place/node_modules/@copilotkit/aimock/dist/cli.js"
exec "${AIORCH_PYTHON:-python3}" "$here/test_aimock.py" "$@"
