#!/bin/sh
# The runner's hands on processes: who lives, who belongs to what, and how they are ended.
# Shipped in one file with runner.sh, which is the place to begin reading.
# shellcheck disable=SC2034,SC2154 # what is set here is used there, and the reverse

# PIDFILE: names this process, so that a later one with the same number is not taken for it.
ll_sign() {
  ll_look $$ && printf '%s\n' "$$ $ll_start $ll_boot_now ${ll_self##*/}" >"$1"
}

# PIDFILE: also the file of the runner that signed it, where it was written by one that says so.
ll_read_pid() {
  ll_pid='' ll_born='' ll_boot='' ll_starter=''
  { read -r ll_pid ll_born ll_boot ll_starter <"$1"; } 2>/dev/null
  [ -n "$ll_pid" ]
}

# PIDFILE: true while the very process that signed it lives.
ll_alive() {
  ll_read_pid "$1" && [ "$ll_boot" = "$ll_boot_now" ] && ll_look "$ll_pid" &&
    [ "$ll_start" = "$ll_born" ] && [ "$ll_state" != Z ]
}

# PIDFILE: adds the session that it stands for, which may outlive its leader.
ll_add_session() {
  ll_read_pid "$1" && [ "$ll_boot" = "$ll_boot_now" ] || return 0
  if ll_look "$ll_pid"; then
    [ "$ll_start" = "$ll_born" ] && [ "$ll_group" = "$ll_pid" ] || return 0
  fi
  ll_sessions="$ll_sessions $ll_pid"
}

# Text as a regular expression that matches only it.
ll_quote() { printf '%s' "$1" | sed 's/[].[*^$\\]/\\&/g'; }

# GREP'S ARGUMENTS: processes that were started with a matching variable, a number on each line.
ll_list_marked() {
  if [ -z "${ll_zeros:-}" ]; then
    ll_zeros=no
    ! printf 'a\000' | grep -qzx a 2>/dev/null || ll_zeros=yes
  fi
  if [ "$ll_zeros" = yes ]; then
    grep -lz "$@" /proc/[0-9]*/environ 2>/dev/null
  else
    for ll_p in /proc/[0-9]*/environ; do
      [ -r "$ll_p" ] || continue
      { tr '\000' '\n' <"$ll_p" | grep -q "$@"; } 2>/dev/null && echo "$ll_p"
    done
  fi | sed 's|^/proc/||; s|/.*||'
}

# Processes of the services that were launched and live: whoever only says so is none of them.
ll_list_served() {
  set --
  for ll_p in "$ll_base"/apps/*/run/*/pid; do
    ! ll_alive "$ll_p" || set -- "$@" -e "LIFTLOCK_SERVICE=${ll_p%/pid}"
  done
  [ $# -eq 0 ] || ll_list_marked -xF "$@"
}

# Processes that hold a lock which the job ll_job took last, but belong to no other step.
ll_list_holders() {
  for ll_info in "$ll_base"/locks/*.info; do
    { read -r ll_holder _ <"$ll_info"; } 2>/dev/null
    [ "$ll_holder" != "$ll_job" ] || printf '%s\n' "${ll_info%.info}.lock" "${ll_info%.info}.more"
  done | {
    IFS= read -r ll_line || return 0
    { printf '%s\n' "$ll_line"; cat; echo; LC_ALL=C ls -l /proc/[0-9]*/fd 2>/dev/null; } | awk '
      !listing { if ($0 == "") listing = 1; else locks[$0] = 1; next }
      /^\/proc\/[0-9]+\/fd:$/ { split($0, path, "/"); next }
      { at = index($0, " -> "); if (at && substr($0, at + 4) in locks) print path[3] }'
  } | sort -u | while read -r ll_p; do
    grep -qz '^LIFTLOCK_STEP_DIR=' "/proc/$ll_p/environ" 2>/dev/null || echo "$ll_p"
  done
}

# Sets ll_left to what still lives of the sessions, of those who carry the mark, and of what
# descends from either; and remembers the sessions that they began, for when their parents are gone.
ll_find_left() {
  ll_found=$({
    ll_list_marked -e "$ll_pattern" | sed 's/^/M /'
    [ -z "${ll_job:-}" ] || ll_list_holders | sed 's/^/M /'
    # What a step launched is a process of its own, although the step may be its parent still.
    case $ll_pattern in
      ^LIFTLOCK_SERVICE=*) ;;
      *) ll_list_served | sed 's/^/S /' ;;
    esac
    cat /proc/[0-9]*/stat 2>/dev/null
  } | awk -v sessions="$ll_sessions" -v self=$$ '
    BEGIN { count = split(sessions, list, " "); for (i = 1; i <= count; i++) known[list[i]] = 1 }
    $1 == "M" && NF == 2 { marked[$2] = 1; next }
    $1 == "S" && NF == 2 { spared[$2] = 1; next }
    {
      # The name of a program may contain anything, also a newline, but not twenty numbers.
      line = text = text $0
      sub(/.*\) /, "", line)
      if (split(line, field, " ") < 20 && length(text) < 2000) next
      pid = text; sub(/ .*/, "", pid); text = ""
      if (field[1] ~ /[ZX]/ || pid == self || pid in spared) next
      parent[pid] = field[2]; group[pid] = field[3]; session[pid] = field[4]
    }
    END {
      do {
        more = 0
        for (pid in parent) {
          if (pid in hit) continue
          if (!(pid in marked || parent[pid] in hit || group[pid] in known || session[pid] in known))
            continue
          hit[pid] = more = 1
          if (group[pid] == pid || session[pid] == pid) known[pid] = 1
        }
      } while (more)
      for (pid in hit) print pid
      for (pid in known) print "s" pid
    }' | sort)
  ll_left='' ll_sessions=''
  for ll_p in $ll_found; do
    case $ll_p in
      s*) ll_sessions="$ll_sessions ${ll_p#s}" ;;
      *) ll_left="$ll_left $ll_p" ;;
    esac
  done
  ll_left=${ll_left# }
}

# SIGNAL, to all that are left; some programs take a second TERM for impatience. The tokens are
# compared after the listing: a successor raises them before it starts what could be listed.
ll_signal() {
  # shellcheck disable=SC2086 # names and tokens, checked
  (ll_raise $ll_locks) || {
    ll_code=$?
    # shellcheck disable=SC2086 # numbers
    kill -s CONT $ll_stopped 2>/dev/null
    exit "$ll_code"
  }
  # shellcheck disable=SC2086 # numbers
  kill -s "$1" $ll_left 2>/dev/null
}

# SECONDS: of what is named by ll_sessions, ll_pattern and, with its locks, ll_job: TERM, then KILL;
# ll_left are those who outlived both. Ends this process when ll_locks have a newer holder meanwhile.
ll_end() {
  ll_stopped=
  ll_find_left
  [ -n "$ll_left" ] || return 0
  ll_signal TERM
  ll_await_end "$1" && return
  ll_clock
  ll_until=$((ll_now + 3))
  while ll_find_left; [ -n "$ll_left" ]; do
    ll_clock
    [ "$ll_now" -le "$ll_until" ] || return 1
    ll_freeze
    ll_signal KILL
    ll_nap
  done
}

# Who is stopped starts no others in the meantime.
ll_freeze() {
  ll_stopped=
  while [ "$ll_left" != "$ll_stopped" ] && [ "$ll_now" -le "$ll_until" ]; do
    ll_signal STOP
    ll_stopped=$ll_left
    ll_find_left
    ll_clock
  done
}

# SECONDS
ll_await_end() {
  ll_clock
  ll_until=$((ll_now + $1 + 1))
  ll_naps=
  while ll_find_left; [ -n "$ll_left" ]; do
    # shellcheck disable=SC2086 # names and tokens, checked
    ll_raise $ll_locks
    ll_clock
    [ "$ll_now" -lt "$ll_until" ] || return 1
    ll_nap
  done
}

# Seconds since the host's start, which nobody sets back.
ll_clock() {
  read -r ll_now _ </proc/uptime
  ll_now=${ll_now%.*}
}
