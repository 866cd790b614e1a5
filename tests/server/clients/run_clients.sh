#!/bin/sh
# What the documentation shows, and clients that others wrote, against 'aiorch serve': sh tests/server/clients/run_clients.sh [PROGRAM...]. Installs them once, by the lock files beside
# this, in $AIORCH_TEST_CACHE/server-clients (tests/run.sh sets it; else build/server-clients of the tree). Needs
# AIORCH_CLI; needs no service and no key.
set -u
here=$(cd "$(dirname "$0")" && pwd)
place=${AIORCH_TEST_CACHE:-$here/../../../build}/server-clients
python=${AIORCH_PYTHON:-python3}
export AIORCH_ROOT="${AIORCH_ROOT:-$(cd "$here/../../.." && pwd)}"
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
  echo "SKIP: npm and node are not installed"
  exit 77
fi
mkdir -p "$place" || exit 1
place=$(cd "$place" && pwd)
no_index='ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E40[34]|network|NewConnectionError|No matching distribution'

# failed LOG: what an installation said; skipped when there is no index to install from.
failed() {
  tail -n 5 "$1"
  if grep -qE "$no_index" "$1"; then
    echo "SKIP: no index is reached ($1)"
    exit 77
  fi
  exit 1
}

if ! cmp -s "$here/package-lock.json" "$place/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$place/"
  (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund) >"$place/npm.log" 2>&1 || failed "$place/npm.log"
  cp "$place/package-lock.json" "$place/installed-lock.json"
fi
if ! cmp -s "$here/requirements.txt" "$place/installed-requirements.txt"; then
  { "$python" -m venv --clear "$place/venv" && "$place/venv/bin/pip" install -q --no-deps -r "$here/requirements.txt"; } \
    >"$place/pip.log" 2>&1 || failed "$place/pip.log"
  cp "$here/requirements.txt" "$place/installed-requirements.txt"
fi
cp "$here"/*.mjs "$place/" || exit 1 # modules are looked for beside the file that asks for them

# The newest SDKs need node 22, which npm brings along where the system's is older.
node=
for own in "$(command -v node)" "$place"/node_modules/node-linux-*/bin/node; do
  if [ -z "$node" ] && [ -x "$own" ] && [ "$("$own" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 22 ]; then
    node=$own
  fi
done
if [ -z "$node" ]; then
  echo "SKIP: the SDKs need node 22; this is $(node --version)"
  exit 77
fi

[ $# -gt 0 ] || set -- openai_npm.mjs anthropic_npm.mjs vercel_npm.mjs openai_pypi.py anthropic_pypi.py langchain_pypi.py litellm_pypi.py
programs=
for name in "$@"; do
  case $name in
    *.mjs) programs="$programs $name $node $place/$name --" ;;
    *) programs="$programs $name $place/venv/bin/python $here/$name --" ;;
  esac
done
failed=0
echo "== documented_calls.py"
"$place/venv/bin/python" "$here/documented_calls.py" || failed=1
# shellcheck disable=SC2086 # the words are to be split
"$python" "$here/client_suites.py" $programs || failed=1
exit $failed
