#!/bin/sh
# The runner's hands on processes: who lives, who belongs to what, and how they are ended.
# Shipped in one file with runner.sh, which is the place to begin reading.
# shellcheck disable=SC2034 # what is set here is used there

read -r ll_boot_now </proc/sys/kernel/random/boot_id || ll_boot_now=unknown

# PID: its state, parent, group and start time; fails when there is no such process.
ll_look() {
  ll_stat=
  { IFS= read -r ll_stat <"/proc/$1/stat"; } 2>/dev/null
  [ -n "$ll_stat" ] || return 1
  # shellcheck disable=SC2086 # the fields after the program's name are numbers
  set -- ${ll_stat##*) }
  ll_state=$1 ll_parent=$2 ll_group=$3 ll_start=${20}
}

# PIDFILE: names this process, so that a later one with the same number is not taken for it.
ll_sign() {
  ll_look $$ && printf '%s %s %s\n' $$ "$ll_start" "$ll_boot_now" >"$1"
}

ll_read_pid() {
  ll_pid='' ll_born='' ll_boot=''
  { read -r ll_pid ll_born ll_boot <"$1"; } 2>/dev/null
  [ -n "$ll_pid" ]
}

# PIDFILE: true while the very process that signed it lives.
ll_alive() {
  ll_read_pid "$1" && [ "$ll_boot" = "$ll_boot_now" ] && ll_look "$ll_pid" &&
    [ "$ll_start" = "$ll_born" ] && [ "$ll_state" != Z ]
}

# PIDFILE: sets ll_leader to the process group it stands for, or to nothing.
ll_find_group() {
  ll_leader=
  ll_read_pid "$1" && [ "$ll_boot" = "$ll_boot_now" ] || return 0
  if ll_look "$ll_pid"; then
    [ "$ll_start" = "$ll_born" ] && [ "$ll_group" = "$ll_pid" ] || return 0
  fi
  ll_leader=$ll_pid
}

ll_list_group() {
  [ -n "$ll_leader" ] || return 0
  cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) (.*) /\1 /' |
    while read -r ll_p ll_how _ ll_its_group ll_session _; do
      case $ll_how in Z | X) continue ;; esac
      if [ "$ll_its_group" = "$ll_leader" ] || [ "$ll_session" = "$ll_leader" ]; then
        echo "$ll_p"
      fi
    done
}

# NAME=VALUE: processes that were started with it, also those that left the group.
ll_list_marked() {
  if printf 'a\000' | grep -qzxF a 2>/dev/null; then
    grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null
  else
    for ll_p in /proc/[0-9]*/environ; do
      [ -r "$ll_p" ] || continue
      { tr '\000' '\n' <"$ll_p" | grep -qxF -e "$1"; } 2>/dev/null && echo "$ll_p"
    done
  fi | while IFS=/ read -r _ _ ll_p _; do
    ll_look "$ll_p" && [ "$ll_state" != Z ] && echo "$ll_p"
  done
}

# MARK: what still lives of a group and of those who carry the mark, each once, on one line.
ll_list_left() { { ll_list_group; ll_list_marked "$1"; } | sort -un | tr '\n' ' '; }

# SIGNAL MARK
ll_signal() {
  [ -z "$ll_leader" ] || kill -s "$1" -- "-$ll_leader" 2>/dev/null
  for ll_p in $(ll_list_marked "$2"); do
    # Members of the group had theirs: some programs take a second TERM for impatience.
    if ll_look "$ll_p" && { [ -z "$ll_leader" ] || [ "$ll_group" != "$ll_leader" ]; }; then
      kill -s "$1" "$ll_p" 2>/dev/null
    fi
  done
}

# PIDFILE MARK SECONDS: TERM, then KILL; sets ll_left to those who outlived both.
ll_end() {
  ll_find_group "$1"
  ll_signal TERM "$2"
  ll_await_end "$2" "$3" && return 0
  ll_until=$(($(date +%s) + 3))
  while ll_signal KILL "$2"; ! ll_await_end "$2" 0; do
    [ "$(date +%s)" -lt "$ll_until" ] || return 1
  done
}

# MARK SECONDS
ll_await_end() {
  ll_deadline=$(($(date +%s) + $2 + 1))
  ll_naps=
  while ll_left=$(ll_list_left "$1"); [ -n "$ll_left" ]; do
    [ "$(date +%s)" -lt "$ll_deadline" ] || return 1
    ll_nap
  done
}

# Sleeps a little longer each time; ll_naps is emptied to begin anew.
ll_nap() {
  [ -n "${ll_naps:-}" ] || ll_naps='0.005 0.005 0.01 0.01 0.02 0.02 0.04 0.04 0.1 0.1 0.2'
  sleep "${ll_naps%% *}" 2>/dev/null || sleep 1
  ll_naps=${ll_naps#* }
}

# OUTPUT COMMAND...: becomes it, in a session of its own; called in a subshell with the marks, for
# this process's other children must not carry them: a kill would hit them. Without setsid the
# kill goes by the marks alone.
ll_detach() {
  ll_out=$1
  shift
  command -v setsid >/dev/null && exec setsid "$@" </dev/null >>"$ll_out" 2>&1
  exec nohup "$@" </dev/null >>"$ll_out" 2>&1
}

# PIDFILE TROUBLE: until the started process has signed, which may take about 20 s.
ll_await_pid() {
  ll_naps='' ll_n=0
  until ll_read_pid "$1"; do
    [ "$ll_n" -lt 110 ] || ll_fail "$1" "nothing was started: $(tail -n 3 "$2" 2>/dev/null)"
    ll_n=$((ll_n + 1))
    ll_nap
  done
}
