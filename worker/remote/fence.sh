#!/bin/sh
# The runner's locks: the host refuses a worker that has a successor, and two jobs at one thing.
# Shipped in one file with runner.sh, which is the place to begin reading.
#
# In BASE/locks, for each name, the same for every version of the runner:
#   NAME.token  the highest fencing token seen; synced before anything is done in its name
#   NAME.lock   locked by the kernel while a process of the holder's steps lives: they inherit it
#   NAME.info   the job that locked it last, and a note for people
#   NAME.more   locked by further steps of that same job, beside something the first left running
#   NAME.gate   locked while the token is written
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

# JOB NOTE [NAME TOKEN]...: all of them, kept by this process and its children, or the end of it.
ll_fence() {
  [ $# -gt 2 ] || return 0
  ll_job=$1 ll_note=$2
  shift 2
  ll_raise "$@"
  # The number of a file may have one digit only; 3 is for the moment.
  ll_fd=9
  while [ $# -gt 0 ]; do
    ll_take "$1" "$2"
    ll_fd=$((ll_fd - 1))
    shift 2
  done
}

# [NAME TOKEN]...: lower tokens are refused from now on, even after a crash of this host.
ll_raise() {
  while [ $# -gt 0 ]; do
    ll_compare_token "$1" "$2"
    [ "$2" -eq "$ll_newest" ] || ll_store_token "$1" "$2"
    shift 2
  done
}

# NAME TOKEN
ll_compare_token() {
  ll_newest=0
  if [ -e "$ll_base/locks/$1.token" ]; then
    ll_newest=
    { read -r ll_newest <"$ll_base/locks/$1.token"; } 2>/dev/null
    ll_is_token "$ll_newest" || ll_refuse_token "$ll_base/locks/$1.token"
  fi
  [ "$2" -lt "$ll_newest" ] || return 0
  ll_say STALE "$1 $2 $ll_newest"
  exit 76
}

# TEXT: a number that every shell can compare.
ll_is_token() { case $1 in '' | *[!0-9]* | ???????????????????*) return 1 ;; esac; }

# FILE: nobody can tell any more who is newer.
ll_refuse_token() {
  ll_say FAILED
  printf 'token=%s\nholds=%s\n' "$1" "$(head -c 80 "$1" 2>&1)"
  exit 1
}

# NAME TOKEN
ll_store_token() {
  ll_path=$ll_base/locks/$1
  ll_said=$(mkdir -p "$ll_base/locks" 2>&1) || ll_fail "$ll_base/locks" "$ll_said"
  ll_open 3 "$ll_path.gate"
  ll_n=0 ll_naps=
  until ll_flock 3; do
    [ "$ll_n" -lt 40 ] || ll_fail "$ll_path.gate" "another process keeps it locked"
    ll_n=$((ll_n + 1))
    ll_nap
  done
  ll_compare_token "$1" "$2"
  if [ "$2" -gt "$ll_newest" ]; then
    ll_write "$ll_path.token.new" "$2"
    ll_said=$({ sync "$ll_path.token.new" 2>/dev/null || sync; } &&
      mv "$ll_path.token.new" "$ll_path.token" 2>&1) || ll_fail "$ll_path.token" "$ll_said"
    sync "$ll_base/locks" 2>/dev/null || sync
  fi
  exec 3>&-
}

# NAME TOKEN: waits 2 s for another holder.
ll_take() {
  ll_path=$ll_base/locks/$1
  ll_n=0 ll_naps=
  while :; do
    ll_open "$ll_fd" "$ll_path.lock"
    if ll_flock "$ll_fd"; then
      ll_own "$1" "$2" && return
    else
      ll_join "$1" "$2" && return
    fi
    [ "$ll_n" -lt 18 ] || ll_busy "$1"
    ll_n=$((ll_n + 1))
    ll_nap
  done
}

# NAME TOKEN: writes who has it, then looks whether the one before has more.
ll_own() {
  ll_compare_token "$1" "$2"
  ll_read_holder
  [ "$ll_holder $ll_holds_for" = "$ll_job $ll_note" ] || ll_write "$ll_path.info" "$ll_job $ll_note"
  if [ "$ll_holder" = "$ll_job" ] || [ ! -e "$ll_path.more" ]; then return 0; fi
  ll_open 3 "$ll_path.more"
  ll_alone=yes
  ll_flock 3 || ll_alone=no
  exec 3>&-
  [ "$ll_alone" = yes ] && return
  ll_write "$ll_path.info" "$ll_holder $ll_holds_for"
  return 1
}

# NAME TOKEN: what this job itself left running does not stand in its way. Locks `more`, then looks
# whether the lock is still this job's: of two jobs that do this and the above, one notices.
ll_join() {
  ll_read_holder
  [ "$ll_holder" = "$ll_job" ] || return 1
  ll_open "$ll_fd" "$ll_path.more"
  ll_flock "$ll_fd" -s || return 1
  ll_compare_token "$1" "$2"
  ll_read_holder
  [ "$ll_holder" = "$ll_job" ]
}

ll_read_holder() {
  ll_holder='' ll_holds_for=''
  { read -r ll_holder ll_holds_for <"$ll_path.info"; } 2>/dev/null
}

# NAME
ll_busy() {
  ll_read_holder
  ll_since=$(stat -c %Y "$ll_path.info" 2>/dev/null) || ll_since=
  ll_say BUSY "$1 $((ll_since ? $(date +%s) - ll_since : 0)) $ll_holder $ll_holds_for"
  exit 75
}

# NUMBER FILE: `exec` alone would end this shell where the file cannot be opened.
ll_open() {
  ll_said=
  { printf '' >>"$2"; } 2>/dev/null || ll_said=$({ printf '' >>"$2"; } 2>&1) || ll_fail "$2" "$ll_said"
  eval "exec $1>>\"\$2\""
}

# NUMBER [-s]
ll_flock() {
  flock -n ${2:+"$2"} "$1" 2>/dev/null && return
  command -v flock >/dev/null || ll_lack flock util-linux
  return 1
}
