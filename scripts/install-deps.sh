#!/bin/sh
# Installs what the build needs and is not there. Debian, Ubuntu and what descends from them: by package name with
# apt-get, never asking. Elsewhere: says what is needed and exits 1. Quiet when all is there.
#
#   sh scripts/install-deps.sh          what the library and the command line need
#   sh scripts/install-deps.sh --tests  that, and what tests/run.sh needs
set -u

usage() {
  sed -n '2,7s/^# \{0,1\}//p' "$0"
}

# Python for the tests: the system's first, since that is where packages of the distribution go.
python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3

have() { command -v "$1" >/dev/null 2>&1; }
pc() { pkg-config --exists "$1" 2>/dev/null; }
module() { "$python" -c "import $1" >/dev/null 2>&1; }
universal_ctags() { ctags --version 2>/dev/null | grep -q Universal; }
# The major version of PostgreSQL that is here, else the one that the distribution has.
postgres_major() {
  ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | cut -d/ -f5 | sort -n | tail -n 1 | grep . && return
  apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}
postgres_has() { [ -n "$(ls /usr/lib/postgresql/*/"$1" 2>/dev/null)" ]; }
pgtap() { [ -n "$(ls /usr/share/postgresql/*/extension/pgtap.control 2>/dev/null)" ]; }
# Programs of the system stand where not everybody looks for them.
sbin() { have "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
header() { echo "#include <$1>" | cc -E - >/dev/null 2>&1; }

# need PACKAGE WHAT PROBE...: remembers PACKAGE as missing when PROBE fails; WHAT is what it is called elsewhere.
missing=
wanted=
need() {
  package=$1
  what=$2
  shift 2
  "$@" && return
  missing="$missing $package"
  wanted="$wanted
  $what"
}

need_build() {
  need gcc "a C11 compiler as cc" have cc
  need libc6-dev "the C library's headers" header stdio.h
  need make "make" have make
  need cmake "cmake, 3.21 or newer" have cmake
  need pkg-config "pkg-config" have pkg-config
  need libcjson-dev "cJSON (pkg-config libcjson)" pc libcjson
  need libpcre2-dev "PCRE2 (pkg-config libpcre2-8)" pc libpcre2-8
  need libutf8proc-dev "utf8proc (pkg-config libutf8proc)" pc libutf8proc
  need libsqlite3-dev "SQLite with FTS5 (pkg-config sqlite3)" pc sqlite3
  need zlib1g-dev "zlib (pkg-config zlib)" pc zlib
  need libxml2-dev "libxml2 (pkg-config libxml-2.0)" pc libxml-2.0
  need libcurl4-openssl-dev "libcurl (pkg-config libcurl)" pc libcurl
  need libpq-dev "libpq (pkg-config libpq)" pc libpq
  need libzip-dev "libzip (pkg-config libzip)" pc libzip
  need libmicrohttpd-dev "libmicrohttpd, for 'aiorch serve' (pkg-config libmicrohttpd)" pc libmicrohttpd
  need libgnutls28-dev "GnuTLS, on which libmicrohttpd stands (pkg-config gnutls), for 'aiorch serve'" pc gnutls
  need libmimalloc-dev "mimalloc, which makes 'aiorch serve' faster" header mimalloc.h
  need libjansson-dev "jansson (pkg-config jansson), which cjose names" pc jansson
  need libcjose-dev "cjose (pkg-config cjose), for 'aiorch serve'" pc cjose
  need libssl-dev "OpenSSL's libcrypto (pkg-config libcrypto), for 'aiorch serve'" pc libcrypto
}

# For tests/postgres/cluster.py and scripts/get-pgvector.sh. Source packages of Debian are checked with its keys elsewhere too.
need_postgres() {
  major=$(postgres_major)
  need "postgresql-$major" "PostgreSQL 15 or newer" postgres_has bin/postgres
  need "postgresql-server-dev-$major" "the headers of PostgreSQL's server" header "postgresql/$major/server/pg_config.h"
  need "postgresql-$major-pgtap" "pgTAP for that PostgreSQL" pgtap
  need libtap-parser-sourcehandler-pgtap-perl "pg_prove" have pg_prove
  need pgbouncer "PgBouncer" sbin pgbouncer
  need dpkg-dev "dpkg-dev, for source packages" have dpkg-source
  need debian-archive-keyring "Debian's keys" [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]
}

need_tests() {
  need gcc "gcc" have gcc
  need g++ "g++" have g++
  need clang "clang" have clang
  need libcmocka-dev "cmocka (pkg-config cmocka)" pc cmocka
  need nodejs "node, for servers and SDKs that others wrote" have node
  need libedit-dev "libedit (pkg-config libedit), which 'aiorch chat' uses where it is there" pc libedit
  need binutils "binutils (nm, objdump, readelf)" have objdump
  need abigail-tools "libabigail (abidw, abidiff)" have abidiff
  need universal-ctags "Universal Ctags (ctags)" universal_ctags
  need git "git" have git
  need python3 "Python 3.9 or newer" have "$python"
  need python3-pip "pip for that Python" module pip
  need python3-pycparser "pycparser for that Python" module pycparser
  need python3-jsonschema "jsonschema for that Python" module jsonschema
  need openssl "openssl" have openssl
  need tinyproxy-bin "tinyproxy" have tinyproxy
  need slowhttptest "slowhttptest" have slowhttptest
  need nginx-light "nginx" sbin nginx
  need caddy "Caddy" have caddy
  need systemd "systemd-analyze and systemd-socket-activate" have systemd-socket-activate
  need python3-venv "venv for that Python" module ensurepip
  need iproute2 "tc (iproute2), which parts a server from its clients" sbin tc
  need_postgres
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  # shellcheck disable=SC2086 # one word a package
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1
}

tests=no
case "${1-}" in
  "") ;;
  --tests) tests=yes ;;
  -h | --help) usage; exit 0 ;;
  *) echo "install-deps.sh: unknown argument: $1 (try --help)" >&2; exit 2 ;;
esac

need_build
[ "$tests" = yes ] && need_tests
[ -z "$missing" ] && exit 0

if ! have apt-get; then
  echo "install-deps.sh: this system has no apt-get. Please install, then try again:$wanted" >&2
  exit 1
fi

if [ "$(id -u)" -ne 0 ] && ! have sudo; then
  echo "install-deps.sh: not root, and there is no sudo; install as root: apt-get install$missing" >&2
  exit 1
fi

echo "installing:$missing"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# A fresh machine has no package lists, an old one stale ones: on failure they are fetched and it is tried again.
if ! apt_install; then
  as_root apt-get update -qq >"$log" 2>&1
  if ! apt_install; then
    cat "$log" >&2
    echo "install-deps.sh: apt-get could not install:$missing" >&2
    exit 1
  fi
fi

missing=
wanted=
need_build
[ "$tests" = yes ] && need_tests
if [ -n "$missing" ]; then
  echo "install-deps.sh: installed, but still not usable:$wanted" >&2
  exit 1
fi
