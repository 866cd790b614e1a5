#!/bin/sh
# in_tmp.sh FOLDER COMMAND...: runs a test in a fresh FOLDER that is its home, its temporary folder and its current one,
# and is removed when the test passes. No key and no setting of the user's reaches it.
set -u
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder" || exit 1

for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $name in
    *_API_KEY | HF_TOKEN | OLLAMA_HOST | *_BASE_URL | AIORCH_CONFIG | AIORCH_STORE | AIORCH_TENANCY | \
      AIORCH_DEADLINE_MS | AIORCH_EMBEDDER | AIORCH_EMBEDDER_MODEL) unset "$name" ;;
  esac
done
# What tests build once and keep is not theirs.
export AIORCH_TEST_CACHE="${AIORCH_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/aiorch-tests}"
export HOME="$folder" TMPDIR="$folder" AIORCH_TEST_TMP="$folder"
export XDG_DATA_HOME="$folder/data" XDG_CACHE_HOME="$folder/cache" XDG_CONFIG_HOME="$folder/config"

cd "$folder" || exit 1
"$@"
code=$?
cd / && { [ $code -ne 0 ] || rm -rf "$folder"; }
exit $code
