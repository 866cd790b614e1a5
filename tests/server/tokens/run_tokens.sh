#!/bin/sh
# The server beside tokens of PyJWT (also as docs/server-auth.md has them), requests that schemathesis makes up from its OpenAPI document, and slowhttptest. Installs the first
# two once with pip, by requirements.txt, in $AIORCH_TEST_CACHE/server-tokens (else build/server-tokens of the tree).
set -u
here=$(cd "$(dirname "$0")" && pwd)
place=${AIORCH_TEST_CACHE:-$here/../../../build}/server-tokens
python=${AIORCH_PYTHON:-python3}
mkdir -p "$place" || exit 1
place=$(cd "$place" && pwd)
if ! cmp -s "$here/requirements.txt" "$place/installed.txt"; then
  rm -rf "$place/venv"
  if ! "$python" -m venv "$place/venv" >"$place/pip.log" 2>&1; then
    echo "SKIP: this Python makes no virtual environments ($place/pip.log)"
    exit 77
  fi
  if ! "$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >"$place/pip.log" 2>&1; then
    tail -n 5 "$place/pip.log"
    if grep -qE 'No matching distribution|Connection|resolution|timed out|403|404' "$place/pip.log"; then
      echo "SKIP: pip reaches no index, or it lacks what is pinned ($place/pip.log)"
      exit 77
    fi
    exit 1
  fi
  cp "$here/requirements.txt" "$place/installed.txt"
fi
failed=0
for suite in tokens_by_pyjwt documented_tokens schemathesis_run slow_clients; do
  echo "== $suite"
  "$place/venv/bin/python" "$here/$suite.py" "$@" || failed=1
done
exit $failed
