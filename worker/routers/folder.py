"""The folder of a route, in shell: everything in it changes by one rename, between two requests.

`current` is a link to a set of app servers, `set-VERSION-DIGEST`, which never changes. Its slots
1, 2, ... are links to folders that are named like an address. `maintenance` is a link to a notice.
"""

from worker.routers.talk import TALK

BEGINNING = (
    r"""
set -eu
umask 022
LC_ALL=C
export LC_ALL
fail() {
  code=$1
  shift
  echo "$*" >&2
  exit "$code"
}
# Nothing in these files could quote every character.
case $FOLDER$SITES in
  *[!A-Za-z0-9\ ._/+@:,=~-]*) fail 61 "no router can be told the path $FOLDER" ;;
esac
route=$FOLDER/routes/$INSTANCE
sites=$SITES
site=$sites/site-$INSTANCE.$SUFFIX
common=$sites/liftlock.$SUFFIX
pem=$FOLDER/certs/$INSTANCE.pem
changed=no placed=
"""
    + TALK
    + r"""
# The rest may be several words: its own way, unless the operator has given another.
by_order() { if [ -n "$RELOAD" ]; then sh -c "$RELOAD" 9>&-; else "$@" 9>&-; fi; }
need() { command -v "$1" >/dev/null 2>&1 || fail 61 "there is no $1 on this host"; }
# A sudo that wants a password has hidden what it says of it behind the program's silence.
need_up() {
  is_up && return 0
  [ -z "$SUDO" ] || $SUDO true || :
  fail 63 "$PROGRAM does not answer on this host"
}
# FILE: as this user, who may have no sudo for it; or by way of that.
peek() { cat "$1" 2>/dev/null || $SUDO cat "$1" 2>/dev/null; }
need_tools() {
  need "$PROGRAM"
  need flock
  need sha256sum
  need awk
  [ -n "$talker" ] ||
    fail 61 "there is neither python3 nor perl on this host"
  [ -r "$CONFIG" ] || $SUDO test -r "$CONFIG" || fail 61 "the file $CONFIG cannot be read"
  for folder in "$FOLDER" "$sites"; do
    at=$folder
    while [ ! -e "$at" ]; do at=${at%/*}; done
    [ -d "$at" ] && [ -w "$at" ] || fail 61 "$(id -un) cannot write in $at, for the folder $folder"
  done
}
# Routes of several instances are changed by several jobs.
alone() {
  mkdir -p "$FOLDER/routes" "$sites" || fail 61 "$(id -un) cannot write $FOLDER and $sites"
  exec 9>"$FOLDER/lock"
  flock 9
}
not_older() {
  known=0
  ! [ -e "$route/version" ] || read -r known <"$route/version" || :
  [ "$known" -le "$VERSION" ] ||
    fail 64 "the route of $INSTANCE is newer; found version $known, wanted $VERSION"
  mkdir -p "$route"
  echo "$VERSION" >"$route/version.new"
  mv -f "$route/version.new" "$route/version"
}
# NAME TARGET: the link, in one rename. busybox before 1.36 has no mv -T.
turn() {
  rm -rf "$route/link"
  ln -s "$2" "$route/link"
  mv -fT "$route/link" "$route/$1" 2>/dev/null || rename "$route/link" "$route/$1"
}
# FOLDER: a notice for people and for programs.
write_notice() {
  mkdir -p "$1"
  printf '%s' "$PAGE_HTML" >"$1/page.html"
  printf '%s' "$PAGE_JSON" >"$1/page.json"
  printf '%s' "${1##*/}" >"$1/retry-after"
}
make_set() {
  made=set-$VERSION-$SET
  [ ! -d "$route/$made" ] || return 0
  rm -rf "$route/new"
  mkdir -p "$route/new"
  printf '%s' "$made" >"$route/new/name"
  slot=0
  for address in $ADDRESSES; do
    slot=$((slot + 1))
    [ -d "$route/new/up/$address" ] || mkdir -p "$route/new/up/$address"
    printf '%s' "$address" >"$route/new/up/$address/address"
    ln -s "up/$address" "$route/new/$slot"
  done
  if [ "$slot" = 0 ]; then
    write_notice "$route/new/empty/$RETRY_AFTER"
    ln -s "empty/$RETRY_AFTER" "$route/new/closed"
  fi
  mv "$route/new" "$route/$made"
}
# Requests that came before the last switches have read what they need.
remove_old() {
  ls -1td "$route/$1"-* | tail -n +6 | while read -r old; do
    [ "$old" = "$route/$(readlink "$route/current")" ] || rm -rf "$old"
  done
}
"""
)
