#!/bin/sh
# Runs in the machine of _machine.sh: installs the units as docs/server.md says, and says "ok" or "not ok" of what it tries.
set -u
cd /given || exit 1
url=http://127.0.0.1:8484

check() { # check NAME COMMAND...
  name=$1
  shift
  if "$@" >&2; then echo "ok $name"; else
    echo "not ok $name"
    systemctl status aiorch.service aiorch.socket >&2
    journalctl -u aiorch.service -n 20 >&2
  fi
}
within() { # within SECONDS COMMAND...: until it succeeds
  left=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.1
  done
}
status() { curl -s -o /dev/null -m 20 -w '%{http_code}' "$@"; }
is() { [ "$1" = "$2" ] || { echo "'$1', not '$2'"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) echo "no '$2' in: $1"; return 1 ;; esac; }
property() { systemctl show -P "$1" aiorch.service; }
ask() { status -H "Authorization: Bearer $key" "$url/ask" -d '{"message": "When is it open?"}'; }
answers() { [ "$(ask)" = 200 ]; }
other_than() { pid=$(property MainPID) && [ "$pid" -gt 0 ] && [ "$pid" != "$1" ]; }

cp aiorch /usr/local/bin/ && cp libaiorch.so.0 /usr/local/lib/ && ldconfig
cp deploy/aiorch.service deploy/aiorch.socket /etc/systemd/system/
cp deploy/aiorch.sysusers /usr/lib/sysusers.d/aiorch.conf && systemd-sysusers
mkdir -p /etc/aiorch && sed "s/^{/{ \"rate_limit.requests\": 0,/" deploy/aiorch.json >/etc/aiorch/aiorch.json
printf 'NOT_A_KEY=%s\n' 1 >/etc/aiorch/environment
mkdir -p /run/systemd/system/aiorch.service.d
printf '[Service]\nWatchdogSec=3\n' >/run/systemd/system/aiorch.service.d/watchdog.conf # sooner than an operator wants it
systemctl daemon-reload

check "the socket is opened" systemctl start aiorch.socket
check "nothing runs until somebody comes" is "$(property ActiveState)" inactive
check "the first request starts the server" is "$(status $url/healthz)" 200
check "it has said that it is ready" is "$(property ActiveState)" active
check "its status is shown" has "$(property StatusText)" "Serving http://127.0.0.1:8484"
check "it is a user of its own" is "$(stat -c %U "/proc/$(property MainPID)")" aiorch
key=$(setpriv --reuid=aiorch --regid=aiorch --clear-groups aiorch keys create --config /etc/aiorch/aiorch.json --tenant acme --user web)
check "a key is made by its user" has "$key" aik_
check "a key lets in" within 5 answers
check "nobody else is" is "$(status $url/v1/models)" 401
check "a document is taken" is "$(status -H "Authorization: Bearer $key" $url/v1/documents -d '{"uri": "a.md", "text": "It is open from eight to six."}')" 201
check "the store is its own alone" is "$(stat -c '%U %a' /var/lib/aiorch/store)" "aiorch 700"

systemctl reload aiorch.service
check "a reload takes over" within 10 sh -c 'journalctl -u aiorch.service | grep -q "the new configuration serves"'
check "and serves" answers

pid=$(property MainPID)
(for _ in $(seq 60); do ask; echo; done) >asked &
for _ in 1 2 3; do systemctl restart aiorch.service; done
wait
check "three restarts under load turn nobody away" is "$(sort asked | uniq -c | tr -s ' ')" " 60 200"
check "they were restarts" other_than "$pid"

pid=$(property MainPID)
kill -9 "$pid"
check "killed, it is started again" within 20 other_than "$pid"
check "and serves after that" answers
pid=$(property MainPID)
kill -STOP "$pid"
check "one that stands still is ended by the watchdog and started again" within 30 other_than "$pid"
check "and serves after that, too" answers

check "what the unit does not need is refused" has "$(systemd-analyze security --no-pager aiorch.service | tail -n 1)" " 1.1 OK"
check "it says what it does" has "$(journalctl -u aiorch.service)" '"tenant":"acme"'
systemctl stop aiorch.socket aiorch.service
check "it ends well" is "$(property Result) $(property ExecMainStatus)" "success 0"
check "and then the port is closed" is "$(status $url/healthz)" 000
systemctl show -P MemoryPeak aiorch.service >&2
echo done
