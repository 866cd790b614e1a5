#!/bin/sh
# The codecs beside the services' own SDKs: sh tests/oracle/run.sh CODEC_TOOL. Installs them once with npm, by the lock file, below
# the folder build of the tree; needs no service and no key. Node comes with them when the system's is too old for the newest SDKs.
set -u
tool=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
place=$(cd "$here/../.." && pwd)/build/oracle
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
  echo "SKIP: npm and node are not installed"
  exit 77
fi
mkdir -p "$place"
if ! cmp -s "$here/package-lock.json" "$place/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$place/"
  if ! (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund) >"$place/npm.log" 2>&1; then
    tail -n 5 "$place/npm.log"
    if grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E40[34]|network' "$place/npm.log"; then
      echo "SKIP: npm reaches no index (build/oracle/npm.log)"
      exit 77
    fi
    exit 1
  fi
  cp "$place/package-lock.json" "$place/installed-lock.json"
fi
cp "$here"/*.mjs "$here"/*.json "$place/" || exit 1 # modules are looked for beside the file that asks for them
node=node
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 22 ]; then
  for own in "$place"/node_modules/node-linux-*/bin/node; do
    [ -x "$own" ] && "$own" --version >/dev/null 2>&1 && node=$own
  done
fi
cd "$place" || exit 1
exec "$node" oracle.mjs "$tool"
