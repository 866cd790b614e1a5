#!/bin/sh
# The units of examples/server/deploy in a Debian that boots with its own systemd, by systemd-nspawn; _in_machine.sh is what happens there.
#
#   sh tests/server/deploy/_machine.sh           boots what is in $AIORCH_TEST_CACHE/machine; without it: skipped
#   sh tests/server/deploy/_machine.sh --make    makes it and no more, once (a minute or two; as root; mmdebstrap and systemd-container by apt-get)
#
# It has no network but its own loopback, and what it writes is forgotten.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${AIORCH_ROOT:-$here/../../..}
program=${AIORCH_CLI:-$root/build/gcc/examples/cli/aiorch}
library=${AIORCH_LIB:-$root/build/gcc/libaiorch.so}
place=${AIORCH_TEST_CACHE:-$root/build}/machine
tree=$place/tree
skip() { echo "SKIP: $1"; exit 77; }

# What the program is linked with comes from the packages that it comes from here; others than the last time: another machine.
packages=$(ldd "$program" | awk '$3 ~ /^\// && $3 !~ /libaiorch/ { print $3 }' | while read -r l; do dpkg -S "$l" 2>/dev/null || dpkg -S "/usr$l"; done \
  | cut -d: -f1 | sort -u | tr '\n' ',')

[ "$(id -u)" -eq 0 ] || skip "a machine is booted by root alone"
if [ "${1-}" = --make ]; then
  mkdir -p "$place" || exit 1
  if ! command -v mmdebstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap systemd-container >"$place/apt.log" 2>&1 || skip "apt-get cannot install mmdebstrap and systemd-container ($place/apt.log)"
  fi
  if [ "$(cat "$place/made" 2>/dev/null)" != "$packages" ]; then
    rm -rf "$tree" "$place/made"
    mmdebstrap --variant=minbase --include="${packages}systemd,systemd-sysv,curl" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tree" \
      >"$place/made.log" 2>&1 || { tail -n 3 "$place/made.log"; skip "mmdebstrap cannot make a Debian ($place/made.log)"; }
    echo "$packages" >"$place/made"
  fi
  exit 0
fi
[ "$(cat "$place/made" 2>/dev/null)" = "$packages" ] || skip "no machine for this program; sh tests/server/deploy/_machine.sh --make makes one"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not installed"

out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
cp "$program" "$out/aiorch"
cp "$(readlink -f "$library")" "$out/libaiorch.so.0"
mkdir "$out/deploy" && cp "$root"/examples/server/deploy/aiorch.* "$out/deploy/"
cp "$here/_in_machine.sh" "$out/check.sh"
cat >"$out/check.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /given/check.sh
StandardOutput=file:/given/said
StandardError=file:/given/said-more
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=120
END
timeout 100 systemd-nspawn --quiet --directory="$tree" --volatile=overlay --register=no --keep-unit --private-network --bind="$out:/given" \
  --bind-ro="$out/check.service:/etc/systemd/system/check.service" --boot systemd.wants=check.service >"$out/boot" 2>&1 </dev/null
if [ ! -s "$out/said" ]; then
  tail -n 15 "$out/boot"
  skip "a machine does not boot here"
fi
cat "$out/said"
if grep -q '^not ok' "$out/said" || ! grep -q '^done' "$out/said"; then
  cat "$out/said-more"
  exit 1
fi
