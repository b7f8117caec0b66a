#!/bin/sh
# Liftlock's runner: starts steps and services on a host, so that they outlive the connection.
#
# Plain POSIX sh and the usual small programs, on Linux (it reads /proc). Two kinds of callers:
#   Liftlock, over SSH; the first line of stdin is a mark that opens every answer on stdout, and
#   behind it come the job, its locks and other values, up to a line with a dot:
#     run STEP            starts the step once, then follows it
#     attach STEP OFFSET  follows a step that was started before, from this byte of its log
#     kill STEP           ends the step with everything it started
#     reap JOB            the same for all steps JOB-...
#     clean STEP...       removes folders of steps
#     tidy DAYS           removes those that ended so long ago, and runners that nobody needs
#   scripts of a step, as `sh "$LIFTLOCK_RUNNER" ...`; they answer by exit code:
#     saveenv FILE NAME.. stores these variables, readable by this user alone
#     serve RUNDIR        becomes RUNDIR/run, with the variables of RUNDIR/env
#     launch RUNDIR       the same in the background, surviving the step
#     alive RUNDIR        0 while what was launched there runs
#     stop RUNDIR SECONDS ends it; 0 only when nothing of it is left
#
# Every variable starts with ll_, because the values of a step live in this environment.
# Shipped in one file, the last of its parts; never with a value of a step in an argument or a file. Other versions of it may meet a step: BASE/locks, the first
# line of STEP/pid, LIFTLOCK_STEP_DIR and the verbs above stay as they are.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

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

ll_check_lock() {
  case $1 in '' | *[!A-Za-z0-9._~%-]*) ll_complain "not a lock name: $1" ;; esac
  ll_is_token "$2" || ll_complain "not a token: $2"
}

# --- what a call brings --------------------------------------------------------------------------

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
ll_read_values() {
  ll_cwd=. ll_script='' ll_job='' ll_note='' ll_locks=''
  while read -r ll_kind ll_name ll_count; do
    case $ll_kind in
      .) return ;;
      J) ll_check_step "$ll_name"; ll_job=$ll_name ll_note=$ll_count ;;
      L) ll_check_lock "$ll_name" "$ll_count"; ll_locks="$ll_locks $ll_name $ll_count" ;;
      [EPCS])
        ll_read_lines "$ll_count" || break
        case $ll_kind in
          E) ll_check_variable "$ll_name"; export "$ll_name=$ll_value" ;;
          P) ll_check_variable "$ll_name"; export "$ll_name=$ll_base/$ll_value" ;;
          C) ll_cwd=$ll_value ;;
          S) ll_script=$ll_value ;;
        esac
        ;;
      *) break ;;
    esac
  done
  ll_complain "the call did not arrive complete"
}

# What another version of the runner started is its to deal with, while it is there.
ll_by_another() {
  ll_read_pid "$ll_dir/pid" || return 1
  case $ll_starter in '' | "${ll_self##*/}" | */*) return 1 ;; esac
  ll_other=$ll_base/runner/$ll_starter
  [ -f "$ll_other" ]
}

# VERB...: with the locks of the call. What it reads is held open as long as our caller holds it, but not read: the bytes
# behind this call are the next call. The first line of the pipe is who is to end with it.
ll_hand_over() {
  exec 6<&0
  {
    trap 'exit 0' TERM
    read -r ll_me _ </proc/self/stat
    printf '%s\n%s\n' "$ll_me" "$ll_mark"
    # shellcheck disable=SC2086 # names and tokens, checked
    [ -z "$ll_locks" ] || printf 'L %s %s\n' $ll_locks
    echo .
    while read -r _; do :; done <&6
  } 2>/dev/null | {
    exec 6<&-
    read -r ll_me
    sh "$ll_other" "$@"
    ll_code=$?
    kill "$ll_me" 2>/dev/null
    exit "$ll_code"
  }
}

# --- starting a step -------------------------------------------------------------------------------

ll_run() {
  if [ -e "$ll_dir/pid" ]; then
    ll_attach 0
    return
  fi
  command -v setsid >/dev/null || ll_lack setsid util-linux
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_prepare
  exec 6<&0
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_spawn $ll_locks </dev/null 2>>"$ll_dir/trouble" 6<&- | ll_hear
}

ll_prepare() {
  [ -d "$ll_base/$ll_cwd" ] || ll_said=$(mkdir -p "$ll_base/$ll_cwd" 2>&1) ||
    ll_fail "$ll_base/$ll_cwd" "$ll_said"
  ll_said=$(umask 077 && exec mkdir -p "$ll_dir" 2>&1) || ll_fail "$ll_dir" "$ll_said"
  # A full disk takes the folder, but not what belongs in it: one that is left behind would look
  # like a step that may still start, which cannot be forbidden on a full disk either.
  trap 'rm -f "$ll_dir/cmd.$$"; rmdir "$ll_dir" 2>/dev/null' EXIT
  # Under a name of its own: another runner may be starting the same step.
  ll_write "$ll_dir/cmd.$$" "$ll_script"
  trap - EXIT
  # Before anybody can find the step started and look for it.
  printf '' >>"$ll_dir/log"
}

# [NAME TOKEN]...
ll_spawn() {
  # The folder is the mark; the name alone may exist below another base folder too.
  export LIFTLOCK_STEP="$ll_step" LIFTLOCK_STEP_DIR="$ll_dir"
  exec setsid sh "$ll_self" _step "$ll_step" "$ll_cwd" "$ll_dir/cmd.$$" "$ll_job" "$ll_note" "$@"
}

# Reads the pipe that only the step's process holds.
ll_hear() {
  IFS= read -r ll_line || ll_line=
  case $ll_line in
    STARTED)
      ll_say STARTED
      ll_stream 0 ll_await_close
      ;;
    TWICE) ll_follow 0 ;;
    '') ll_fail "$ll_dir/pid" "nothing was started: $(tail -n 3 "$ll_dir/trouble" 2>/dev/null)" ;;
    *)
      ll_say "$ll_line"
      cat
      case $ll_line in STALE*) exit 76 ;; BUSY*) exit 75 ;; *) exit 1 ;; esac
      ;;
  esac
}

# --- itself ------------------------------------------------------------------------------------

# The text of this script is in ll_text: how it came here, see `runner.upload_line`.
ll_upload() {
  ll_mark=$1
  case $(command -v printf) in
    # As a program of its own it would show its arguments to everybody on the host.
    /*) ll_complain "this sh has no printf of its own; install dash, bash or busybox as sh" ;;
  esac
  ll_said=$(mkdir -p "$ll_base/runner" 2>&1) || ll_fail "$ll_base/runner" "$ll_said"
  # shellcheck disable=SC2154 # set by the caller's one-liner
  ll_said=$({ printf '%s' "$ll_text" >"$ll_self.$$"; } 2>&1 && mv "$ll_self.$$" "$ll_self" 2>&1) || {
    rm -f "$ll_self.$$"
    ll_fail "$ll_self" "$ll_said"
  }
  ll_say UPLOADED
}

# -----------------------------------------------------------------------------------------------

export LIFTLOCK_RUNNER="$ll_self" LIFTLOCK_BASE="$ll_base"
ll_verb=${1:-}
[ $# -eq 0 ] || shift
case $ll_verb in
  run | attach | kill | reap | clean | tidy)
    IFS= read -r ll_mark || exit
    ll_check_step "${1:-}"
    ll_step=$1 ll_dir=$ll_base/steps/$1
    ll_read_values
    ;;
  compare | receive | list | give)
    IFS= read -r ll_mark || exit
    ll_read_values
    ;;
  serve | launch | alive | stop | _serve)
    case ${1:-} in /*) ;; *) ll_complain "not an absolute path: ${1:-}" ;; esac
    ;;
esac
case $ll_verb in
  run) ll_run ;;
  attach) ll_attach "$2" ;;
  kill) ll_kill ;;
  reap) ll_reap "$1" ;;
  clean) ll_clean "$@" ;;
  tidy) ll_tidy "$1" ;;
  compare) ll_compare ;;
  receive) ll_receive ;;
  list) ll_list ;;
  _list) ll_list_all ;;
  give) ll_give ;;
  upload) ll_upload "$1" ;;
  saveenv) ll_saveenv "$@" ;;
  serve) ll_serve "$1" ;;
  launch) ll_launch "$1" ;;
  alive) ll_alive "$1/pid" ;;
  stop) ll_stop "$1" "$2" ;;
  _serve) ll_sign "$1/pid" && ll_serve "$1" ;;
  *) ll_complain "no such verb: $ll_verb" ;;
esac
