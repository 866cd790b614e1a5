#!/bin/sh
# Builds pgvector for the distribution's PostgreSQL from the source package that Debian trixie has, since older releases have none,
# and prints the folder it lies in: that folder holds vector.so, vector.control and its SQL files, as `make install` would have put
# them. Nothing of the system is changed. What was built once is kept in $AIORCH_TEST_CACHE (default: $XDG_CACHE_HOME/aiorch-tests,
# else ~/.cache/aiorch-tests). Exit 1 when it could not be had.
#
#   sh scripts/get-pgvector.sh                 with the newest pg_config there is
#   PG_CONFIG=/path/pg_config sh scripts/get-pgvector.sh
#
# Needs apt-get, a C compiler, make and postgresql-server-dev-NN (scripts/install-deps.sh --tests).
set -u

cache=${AIORCH_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/aiorch-tests}
mirror=http://deb.debian.org/debian
keys=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  echo "get-pgvector.sh: $*" >&2
  exit 1
}

newest_pg_config() {
  ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -t/ -k5 -n | tail -n 1
}

pg_config=${PG_CONFIG:-$(newest_pg_config)}
[ -n "$pg_config" ] || pg_config=$(command -v pg_config) || die "no pg_config: install postgresql-server-dev-NN"
major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
# Headers of one minor version serve the whole major version.
target=$cache/pgvector-pg$major
if [ -e "$target/vector.so" ]; then
  echo "$target"
  exit 0
fi
[ -e "$("$pg_config" --includedir-server)/postgres.h" ] || die "no server headers: install postgresql-server-dev-$major"
command -v apt-get >/dev/null || die "no apt-get: build pgvector yourself and put vector.so, vector.control and its SQL into $target"
[ -e "$keys" ] || die "no $keys: install debian-archive-keyring"

mkdir -p "$cache" || exit 1
work=$(mktemp -d "$cache/.pgvector.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# apt-get with lists and sources of its own. Its helpers run as who we are, since the folder is ours alone.
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

fetch() {
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/source" || return
  echo "deb-src [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
  apt update >&2 && (cd "$work/source" && apt source --download-only pgvector >&2) || return
  tar -C "$work/source" -xzf "$work"/source/pgvector_*.orig.tar.gz
}

build() {
  cd "$work"/source/pgvector-*/ || return
  # OPTFLAGS: code for every processor of this kind, not for this one.
  make -s OPTFLAGS= PG_CONFIG="$pg_config" with_llvm=no >&2 &&
    make -s OPTFLAGS= PG_CONFIG="$pg_config" with_llvm=no DESTDIR="$work/root" install >&2
}

(fetch && build) 2>"$work/log" >&2 || { tail -n 15 "$work/log" >&2; die "pgvector could not be fetched and built"; }
mkdir "$work/result"
cp "$work/root$("$pg_config" --pkglibdir)/vector.so" "$work/root$("$pg_config" --sharedir)"/extension/vector* "$work/result" ||
  die "pgvector was built, but is not where pg_config says"
mv -T "$work/result" "$target" 2>/dev/null || [ -e "$target/vector.so" ] || die "$target could not be written"
echo "$target"
