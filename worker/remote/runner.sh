#!/bin/sh
# Liftlock's runner: starts steps and services on a host, so that they outlive the connection.
#
# Plain POSIX sh and the usual small programs, on Linux (it reads /proc). Two kinds of callers:
#   Liftlock, over SSH; the first line of stdin is a mark that opens every answer on stdout:
#     run NAME            values and script on stdin; starts the step once, then follows it
#     attach NAME OFFSET  follows a step that was started before, from this byte of its log
#     kill NAME           ends the step with everything it started
#     clean NAME          removes the step's folder
#   scripts of a step, as `sh "$LIFTLOCK_RUNNER" ...`; they answer by exit code:
#     saveenv FILE NAME.. stores these variables, readable by this user alone
#     serve RUNDIR        becomes RUNDIR/run, with the variables of RUNDIR/env
#     launch RUNDIR       the same in the background, surviving the step
#     alive RUNDIR        0 while what was launched there runs
#     stop RUNDIR SECONDS ends it; 0 only when nothing of it is left
#
# Every variable starts with ll_, because the values of a step live in this environment.
# Shipped in one file behind processes.sh; never with a value of a step in an argument or a file.
# shellcheck disable=SC2034,SC2154 # what processes.sh reads and sets
set -u

ll_log_limit=4194304
ll_tail_limit=65536
ll_nl='
'
case $0 in /*) ll_self=$0 ;; *) ll_self=${PWD%/}/$0 ;; esac
ll_base=${ll_self%/runner/*}

# --- answers ---------------------------------------------------------------------------------

ll_say() { printf '\036%s %s\n' "$ll_mark" "$*"; }

# PATH MESSAGE: says what cannot be written, and what stands there instead.
ll_fail() {
  ll_at=$1
  while [ ! -e "$ll_at" ] && [ -n "$ll_at" ]; do ll_at=${ll_at%/*}; done
  ll_at=${ll_at:-/}
  ll_say FAILED
  printf 'base=%s\npath=%s\nat=%s\nuser=%s\n' "$ll_base" "$1" "$ll_at" "$(id -un 2>/dev/null || id -u)"
  printf 'found=%s\n' "$(LC_ALL=C ls -ld "$ll_at" 2>&1)"
  printf 'free_kb=%s\n' "$(ll_free_kb "$ll_at")"
  printf 'said=%s\n' "$2"
  exit 1
}

ll_free_kb() {
  LC_ALL=C df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ ll_free _ && echo "$ll_free"; }
}

ll_complain() {
  printf 'liftlock runner: %s\n' "$*" >&2
  exit 64
}

ll_check_variable() {
  case $1 in
    '' | [0-9]* | *[!A-Za-z0-9_]* | ll_* | LIFTLOCK_*) ll_complain "not a variable name: $1" ;;
  esac
}

ll_check_step() {
  case $1 in '' | .* | *[!A-Za-z0-9._-]*) ll_complain "not a step name: $1" ;; esac
}

# --- a step: reading it, starting it ----------------------------------------------------------

# COUNT: so many lines of stdin, joined, in ll_value.
ll_read_lines() {
  IFS= read -r ll_value || return 1
  ll_n=1
  while [ "$ll_n" -lt "$1" ]; do
    IFS= read -r ll_line || return 1
    ll_value=$ll_value$ll_nl$ll_line
    ll_n=$((ll_n + 1))
  done
}

# Values go straight into the environment: never into an argument list or a file.
ll_read_step() {
  ll_cwd=. ll_script=
  while read -r ll_kind ll_name ll_count; do
    [ "$ll_kind" != . ] || return 0
    ll_read_lines "$ll_count" || return 1
    case $ll_kind in
      E) ll_check_variable "$ll_name"; export "$ll_name=$ll_value" ;;
      P) ll_check_variable "$ll_name"; export "$ll_name=$ll_base/$ll_value" ;;
      C) ll_cwd=$ll_value ;;
      S) ll_script=$ll_value ;;
      *) return 1 ;;
    esac
  done
  return 1
}

ll_prepare() {
  [ -d "$ll_base/$ll_cwd" ] || ll_said=$(mkdir -p "$ll_base/$ll_cwd" 2>&1) ||
    ll_fail "$ll_base/$ll_cwd" "$ll_said"
  ll_said=$(umask 077 && mkdir -p "$ll_dir" 2>&1) || ll_fail "$ll_dir" "$ll_said"
  # Under a name of its own: another runner may be starting the same step.
  ll_said=$({ printf '%s\n' "$ll_script" >"$ll_dir/cmd.$$"; } 2>&1) ||
    ll_fail "$ll_dir/cmd" "$ll_said"
}

ll_run() {
  ll_read_step || ll_complain "the step did not arrive complete"
  if [ -e "$ll_dir/pid" ]; then
    ll_follow 0
    return
  fi
  ll_prepare
  (
    # The folder is the mark; the name alone may exist below another base folder too.
    export LIFTLOCK_STEP="$ll_step" LIFTLOCK_STEP_DIR="$ll_dir"
    ll_detach "$ll_dir/trouble" sh "$ll_self" _step "$ll_step" "$ll_cwd" "$ll_dir/cmd.$$"
  ) &
  ll_await_pid "$ll_dir/pid" "$ll_dir/trouble"
  ll_say STARTED
  ll_stream 0
}

# The step's own process, in its own session. TERM is for the script; this one reports its end.
ll_step() {
  ll_step=$1 ll_dir=$ll_base/steps/$1
  # Created once, ever: two runners that start the same step cannot both get past this line.
  if ! (set -C && : >"$ll_dir/pid") 2>/dev/null; then
    rm -f "$3"
    exit
  fi
  trap : TERM HUP INT
  # The exit code's room on the disk is taken now, so that a full disk cannot swallow it.
  if ! { mv "$3" "$ll_dir/cmd" && : >"$ll_dir/log" && printf '   \n' >"$ll_dir/rc.new" &&
    cd "$ll_base/$2" && mkfifo "$ll_dir/pipe" && ll_sign "$ll_dir/pid"; }; then
    rm -f "$ll_dir/pid" "$ll_dir/pipe"
    exit 1
  fi
  # Opened for both ways first, or opening for one way would wait for the other end.
  # shellcheck disable=SC2094
  exec 3<>"$ll_dir/pipe" 4<"$ll_dir/pipe" 5>"$ll_dir/pipe" 3>&-
  rm -f "$ll_dir/pipe"
  # `ll_keep 5>&-` would keep a copy of 5 for afterwards, and never see the end of the output.
  (exec 5>&- && ll_keep) &
  ll_keeper=$!
  sh -eu "$ll_dir/cmd" >&5 2>&5 4<&- 5>&-
  ll_rc=$?
  exec 5>&-
  if ll_await_keeper; then
    ll_seal "$ll_rc"
  else
    ll_seal "$ll_rc"
    # A process left behind may still write: it must not die of it, nor must anybody wait for it.
    exec cat <&4 >/dev/null 2>&1
  fi
}

# Fails when the pipe is still held open by a process left in the background, 2 s being enough
# for the rest of the output.
ll_await_keeper() {
  ll_naps='' ll_n=0
  while ll_look "$ll_keeper" && [ "$ll_state" != Z ]; do
    if [ "$ll_n" -ge 18 ]; then
      kill -s USR1 "$ll_keeper" 2>/dev/null
      wait "$ll_keeper"
      return 1
    fi
    ll_nap
    ll_n=$((ll_n + 1))
  done
}

# Stores the output: its beginning in `log`, then the newest in `more` and `more.old`.
ll_keep() {
  trap '' TERM HUP
  trap 'kill "$ll_dd" 2>/dev/null; exit 0' USR1
  ll_size=0
  while [ "$ll_size" -lt "$ll_log_limit" ]; do
    ll_room=$((ll_log_limit - ll_size))
    ll_block=65536
    [ "$ll_room" -ge "$ll_block" ] || ll_block=$ll_room
    ll_copy "$ll_block" $((ll_room / ll_block)) "$ll_dir/log" || return 0
    ll_size=$(wc -c <"$ll_dir/log")
  done
  ll_dropped=0
  while ll_copy 65536 64 "$ll_dir/more"; do
    [ "$(wc -c <"$ll_dir/more")" -ge "$ll_tail_limit" ] || continue
    [ ! -e "$ll_dir/more.old" ] || ll_dropped=$((ll_dropped + $(wc -c <"$ll_dir/more.old")))
    mv "$ll_dir/more" "$ll_dir/more.old"
    echo "$ll_dropped" >"$ll_dir/dropped"
  done
}

# BLOCK COUNT FILE: dd writes whatever one read brought, so a line shows at once. Fails at the end
# of the output, that is after fewer reads than asked for.
ll_copy() {
  LC_ALL=C dd bs="$1" count="$2" <&4 4<&- >>"$3" 2>"$ll_dir/reads" &
  ll_dd=$!
  # A disk that cannot take more, or not even dd's report, must not stop the step.
  wait "$ll_dd" || exec cat <&4 >/dev/null
  while read -r ll_reads ll_word _; do
    # GNU's dd may warn first. `3+21 records in`: whole blocks and parts of one.
    [ "$ll_word" != records ] || break
  done <"$ll_dir/reads"
  case $ll_reads in '' | *[!0-9+]*) exec cat <&4 >/dev/null ;; esac
  [ $((${ll_reads%+*} + ${ll_reads#*+})) -ge "$2" ]
}

# RC: the last part of the output, then the exit code: written aside, synced, renamed.
ll_seal() {
  if [ -e "$ll_dir/more" ] || [ -e "$ll_dir/more.old" ]; then
    ll_dropped=0
    { read -r ll_dropped <"$ll_dir/dropped"; } 2>/dev/null
    ll_rest=$(cat "$ll_dir/more.old" "$ll_dir/more" 2>/dev/null | wc -c)
    ll_left_out=$((ll_dropped + ll_rest - ll_tail_limit))
    {
      [ "$ll_left_out" -le 0 ] ||
        printf '\n[liftlock: %s bytes of output are left out here]\n' "$ll_left_out"
      cat "$ll_dir/more.old" "$ll_dir/more" 2>/dev/null | tail -c "$ll_tail_limit"
    } >"$ll_dir/tail"
    rm -f "$ll_dir/more" "$ll_dir/more.old" "$ll_dir/dropped"
  fi
  printf '%-3s\n' "$1" 1<>"$ll_dir/rc.new"
  sync "$ll_dir/rc.new" 2>/dev/null || sync
  mv "$ll_dir/rc.new" "$ll_dir/rc"
}

# --- a step: following it, ending it -----------------------------------------------------------

# OFFSET
ll_follow() {
  if [ -e "$ll_dir/rc" ]; then
    ll_say DONE
  elif [ ! -e "$ll_dir/pid" ]; then
    ll_say MISSING
    return
  else
    ll_await_pid "$ll_dir/pid" "$ll_dir/trouble"
    ll_say RUNNING "$(($(date +%s) - $(stat -c %Y "$ll_dir/pid")))"
  fi
  ll_stream "$1"
}

# OFFSET: the log from there on until the step ends, then how it ended.
ll_stream() {
  exec 3<"$ll_dir/log"
  # One read moves the place from which every `cat` below goes on.
  [ "$1" -eq 0 ] || dd bs="$1" count=1 <&3 >/dev/null 2>&1
  ll_naps=
  ll_ended=
  ll_turns=0
  while [ -z "$ll_ended" ]; do
    [ ! -e "$ll_dir/rc" ] || ll_ended=yes
    cat <&3 || exit
    [ -z "$ll_ended" ] || break
    if ! ll_alive "$ll_dir/pid" && [ ! -e "$ll_dir/rc" ]; then
      ll_say LOST "$(tail -n 3 "$ll_dir/trouble" 2>/dev/null)"
      return
    fi
    ll_turns=$((ll_turns + 1))
    [ "$ll_turns" -ne 8 ] || ll_watch_caller
    ll_nap
  done
  [ "$ll_turns" -lt 8 ] || kill "$ll_watcher" 2>/dev/null
  ll_stream_tail "$1"
  read -r ll_rc <"$ll_dir/rc"
  [ "$ll_rc" -eq 0 ] || ll_mention_full_disk
  ll_say EXIT "$ll_rc"
}

# The caller holds stdin open. A silent step gives no cause to write, so that a broken pipe would
# tell that it left; and this process would keep one of the few sessions of the SSH server.
ll_watch_caller() {
  exec 6<&0
  (cat && kill $$) <&6 >/dev/null 2>&1 3<&- 6<&- &
  ll_watcher=$!
}

# A full disk swallows the very words that would say so.
ll_mention_full_disk() {
  ll_room=$(ll_free_kb "$ll_dir")
  [ "${ll_room:-64}" -ge 64 ] ||
    printf 'liftlock runner: No space left on device: %s KB are free in %s\n' "$ll_room" "$ll_base"
}

ll_stream_tail() {
  [ -e "$ll_dir/tail" ] || return 0
  ll_skip=$(($1 - $(wc -c <"$ll_dir/log")))
  [ "$ll_skip" -gt 0 ] || ll_skip=0
  tail -c "+$((ll_skip + 1))" "$ll_dir/tail" || exit
}

ll_kill() {
  if ! ll_end "$ll_dir/pid" "LIFTLOCK_STEP_DIR=$ll_dir" 5; then
    ll_say SURVIVORS "$ll_left"
    return
  fi
  [ ! -e "$ll_dir/rc.new" ] || ll_seal 137
  ll_say GONE
}

ll_clean() {
  if ll_alive "$ll_dir/pid" && [ ! -e "$ll_dir/rc" ]; then
    ll_fail "$ll_dir" "the step is still running as process $ll_pid"
  fi
  ll_said=$(rm -rf "$ll_dir" 2>&1) || ll_fail "$ll_dir" "$ll_said"
  ll_say CLEANED
}

# The text of this script is in ll_text: how it came here, see `runner.upload_line`.
ll_upload() {
  ll_mark=$1
  ll_said=$(mkdir -p "$ll_base/runner" 2>&1) || ll_fail "$ll_base/runner" "$ll_said"
  # shellcheck disable=SC2154 # set by the caller's one-liner
  ll_said=$({ printf '%s' "$ll_text" >"$ll_self.$$"; } 2>&1 && mv "$ll_self.$$" "$ll_self" 2>&1) || {
    rm -f "$ll_self.$$"
    ll_fail "$ll_self" "$ll_said"
  }
  ll_say UPLOADED
}

# --- services ----------------------------------------------------------------------------------

ll_saveenv() {
  ll_file=$1
  shift
  umask 077
  for ll_name; do
    ll_check_variable "$ll_name"
    eval "ll_value=\${$ll_name-} ll_set=\${$ll_name+yes}"
    [ -z "$ll_set" ] || printf '%s %s\n' "$ll_name" "$(printf '%s' "$ll_value" | base64 | tr -d '\n')"
  done >"$ll_file.$$" || exit
  sync "$ll_file.$$" 2>/dev/null
  mv "$ll_file.$$" "$ll_file"
}

ll_serve() {
  if [ -e "$1/env" ]; then
    while read -r ll_name ll_code; do
      ll_check_variable "$ll_name"
      # The dot keeps the newlines at the end, which $( ) would take away.
      ll_value=$(printf '%s' "$ll_code" | base64 -d && printf .) || exit
      export "$ll_name=${ll_value%.}"
    done <"$1/env"
  fi
  cd "${RELEASE_DIR:-$1}" && exec sh "$1/run"
}

ll_launch() {
  ! ll_alive "$1/pid" || return 0
  rm -f "$1/pid" || exit
  unset LIFTLOCK_STEP LIFTLOCK_STEP_DIR
  (
    export LIFTLOCK_SERVICE="$1"
    ll_detach "$1/log" sh "$ll_self" _serve "$1"
  ) &
  ll_mark=liftlock
  ll_await_pid "$1/pid" "$1/log"
}

ll_stop() {
  ll_seconds=${2%%.*}
  if ! ll_end "$1/pid" "LIFTLOCK_SERVICE=$1" "${ll_seconds:-0}"; then
    ll_complain "still running after KILL: $ll_left"
  fi
  rm -f "$1/pid"
}

# -----------------------------------------------------------------------------------------------

case $(command -v printf) in
  # As a program of its own it would show its arguments to everybody on the host.
  /*) ll_complain "this sh has no printf of its own; install dash, bash or busybox as sh" ;;
esac
export LIFTLOCK_RUNNER="$ll_self" LIFTLOCK_BASE="$ll_base"
ll_verb=${1:-}
[ $# -eq 0 ] || shift
case $ll_verb in
  run | attach | kill | clean)
    IFS= read -r ll_mark || exit
    ll_check_step "${1:-}"
    ll_step=$1 ll_dir=$ll_base/steps/$1
    ;;
  serve | launch | alive | stop | _serve)
    case ${1:-} in /*) ;; *) ll_complain "not an absolute path: ${1:-}" ;; esac
    ;;
esac
case $ll_verb in
  run) ll_run ;;
  attach) ll_follow "$2" ;;
  kill) ll_kill ;;
  clean) ll_clean ;;
  upload) ll_upload "$1" ;;
  saveenv) ll_saveenv "$@" ;;
  serve) ll_serve "$1" ;;
  launch) ll_launch "$1" ;;
  alive) ll_alive "$1/pid" ;;
  stop) ll_stop "$1" "$2" ;;
  _step) ll_step "$@" ;;
  _serve) ll_sign "$1/pid" && ll_serve "$1" ;;
  *) ll_complain "no such verb: $ll_verb" ;;
esac
