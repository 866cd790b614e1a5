#!/bin/sh
# Builds examples/server/deploy/Containerfile and tries the image: by hand, since it takes minutes. As root, with buildah, podman and runc (all
# from apt-get), which keep what they make in $AIORCH_TEST_CACHE/container.
#
#   sh tests/server/deploy/_container.sh           builds the image and tries it
#   sh tests/server/deploy/_container.sh --try     tries the one that is there
#
# Some 5 GB while it builds. Where no registry of images is reached, Debian 12 comes from the mirror of its packages (mmdebstrap), under the name that the file asks for.
set -u
root=${AIORCH_ROOT:-$(cd "$(dirname "$0")/../../.." && pwd)}
place=${AIORCH_TEST_CACHE:-$root/build}/container
port=8484
name=aiorch-try-$$
skip() { echo "SKIP: $1"; exit 77; }
for tool in buildah podman runc curl nsenter; do
  command -v $tool >/dev/null || skip "$tool is not installed"
done
[ "$(id -u)" -eq 0 ] || skip "not root"
mkdir -p "$place" || exit 1
kept="--root $place/storage --runroot $place/run --storage-driver vfs"
# shellcheck disable=SC2086 # words
build() { buildah $kept "$@"; }
# shellcheck disable=SC2086
pod() { podman $kept --cgroup-manager cgroupfs --runtime runc "$@" 2>>"$place/podman.log"; }
check() { # check NAME COMMAND...
  what=$1
  shift
  if "$@" >&2; then echo "ok $what"; else echo "not ok $what"; failed=1; fi
}
is() { [ "$1" = "$2" ] || { echo "'$1', not '$2'"; return 1; }; }
base() {
  build inspect docker.io/library/debian:12-slim >/dev/null 2>&1 && return
  build pull -q docker.io/library/debian:12 >/dev/null 2>&1 && build pull -q docker.io/library/debian:12-slim >/dev/null 2>&1 && return
  command -v mmdebstrap >/dev/null || skip "no registry is reached, and mmdebstrap is not installed"
  mmdebstrap --variant=minbase bookworm "$place/base.tar" >"$place/base.log" 2>&1 || skip "mmdebstrap cannot make a Debian ($place/base.log)"
  for tag in 12 12-slim; do
    c=$(build from scratch) && build add "$c" "$place/base.tar" / >/dev/null && build commit -q --format docker "$c" docker.io/library/debian:$tag >/dev/null
    build rm "$c" >/dev/null
  done
}
if [ "${1-}" != --try ]; then
  base
  build bud --pull-never --layers=false --isolation chroot --format docker -f "$root/examples/server/deploy/Containerfile" -t aiorch "$root" >"$place/build.log" 2>&1 \
    || { tail -n 20 "$place/build.log"; exit 1; }
fi
build inspect localhost/aiorch >/dev/null 2>&1 || skip "no image; without --try one is built"

failed=0
begin() {
  pod run -d --name "$name" --read-only --tmpfs /tmp --cap-drop all --security-opt no-new-privileges --network none --ulimit nofile=4096:4096 \
    --ulimit nproc=1000:1000 -v "$name:/var/lib/aiorch" aiorch >/dev/null
}
ask() { nsenter -t "$(pod inspect -f '{{.State.Pid}}' "$name")" -n curl -s -m 10 -o /dev/null -w '%{http_code}' "$@"; }
within() {
  left=100
  until [ "$(ask -H "Authorization: Bearer $key" "http://127.0.0.1:$port/v1/models")" = "$1" ]; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.1
  done
}
key=none
begin || { tail -n 5 "$place/podman.log"; skip "podman starts no container here ($place/podman.log)"; }
trap 'pod rm -f "$name" >/dev/null; pod volume rm "$name" >/dev/null' EXIT
check "it serves" within 401
check "it is well" pod healthcheck run "$name"
check "it is user 8484" is "$(pod exec "$name" id -u)" 8484
check "it cannot write to its file system" is "$(pod exec "$name" sh -c 'touch /usr/x /etc/x 2>/dev/null; echo $?')" 1
key=$(pod exec "$name" aiorch keys create --tenant acme --user web)
check "a key is made in it, and lets in" within 200
check "a document is taken" is "$(ask -H "Authorization: Bearer $key" "http://127.0.0.1:$port/v1/documents" -d '{"uri": "a.md", "text": "It is open."}')" 201
pod stop -t 45 "$name" >/dev/null
check "told to end, it ends well" is "$(pod inspect -f '{{.State.ExitCode}}' "$name")" 0
pod rm "$name" >/dev/null
begin
check "another container on the same volume knows the key" within 200
echo "image: $(pod images --format '{{.Size}}' localhost/aiorch | head -n 1)"
exit $failed
