#!/bin/sh
# The runner's ways of ending steps and of clearing away what they left on the disk.
# Shipped in one file with runner.sh, which is the place to begin reading.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

ll_kill() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  if ll_by_another; then
    ll_hand_over kill "$ll_step"
    return
  fi
  ll_job='' ll_sessions=''
  ll_condemn
  ll_add_its_session
  ll_pattern="^LIFTLOCK_STEP_DIR=$(ll_quote "$ll_dir")\$"
  ll_end_then ll_close
}

# JOB: also what none of its steps is known to have started, but holds one of the job's locks.
ll_reap() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_job=$1 ll_sessions=''
  ll_for_each_step ll_condemn
  ll_for_each_step ll_add_its_session
  ll_pattern="^LIFTLOCK_STEP_DIR=$(ll_quote "$ll_base/steps/$1-")"
  ll_end_then ll_for_each_step ll_close
}

# COMMAND...: how to note that they are gone, which is the successor's to do when there is one now.
ll_end_then() {
  if ll_end 5; then
    # shellcheck disable=SC2086 # names and tokens, checked
    ll_raise $ll_locks
    "$@"
    ll_say GONE
  else
    ll_say SURVIVORS "$ll_left"
  fi
}

ll_add_its_session() { ll_add_session "$ll_dir/pid"; }

# FUNCTION, with ll_dir
ll_for_each_step() {
  for ll_dir in "$ll_base/steps/$ll_job-"*; do
    [ ! -d "$ll_dir" ] || "$1"
  done
}

# Nobody starts the step from now on. One that vanished before keeps its unknown end.
ll_condemn() {
  [ ! -e "$ll_dir/rc" ] || return 0
  if [ -e "$ll_dir/pid" ]; then
    ll_alive "$ll_dir/pid" && ll_has_memory "$ll_pid" || return 0
  else
    ll_said=$(umask 077 && exec mkdir -p "$ll_dir" 2>&1) || ll_fail "$ll_dir" "$ll_said"
  fi
  ll_write "$ll_dir/killed" "$ll_boot_now"
}

# PID: whoever is just ending has none, and has closed its files, before it can be seen to be gone.
ll_has_memory() { [ -n "$({ tr -d '\000' <"/proc/$1/cmdline"; } 2>/dev/null)" ]; }

# After the last process is gone: the exit code, unless the step's own process had it already.
ll_close() {
  if [ ! -e "$ll_dir/killed" ] || [ -e "$ll_dir/rc" ] || [ ! -e "$ll_dir/pid" ]; then return; fi
  ll_rc=
  { read -r ll_rc <"$ll_dir/rc.new"; } 2>/dev/null
  if [ -z "$ll_rc" ]; then
    printf '%-3s\n' 137 1<>"$ll_dir/rc.new"
    sync "$ll_dir/rc.new" 2>/dev/null || sync
  fi
  ll_seal
}

# STEP...
ll_clean() {
  # Without the folder of a step its name is new, and whoever has the job now would do it again.
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_doomed=
  for ll_step; do
    ll_check_step "$ll_step"
    ll_dir=$ll_base/steps/$ll_step
    if ll_by_another; then
      ll_said=$(ll_hand_over clean "$ll_step") || {
        printf '%s\n' "$ll_said"
        exit 1
      }
    elif ll_runs; then
      ll_fail "$ll_dir" "the step is still running as process $ll_pid"
    else
      ll_end_rest
      ll_doomed="$ll_doomed $ll_step"
    fi
  done
  # To end what they left took seconds, in which another may have begun them anew.
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_remove_steps
  ll_say CLEANED
}

# Of a step that vanished: its next run must not meet what is left of this one.
ll_end_rest() {
  if [ -e "$ll_dir/rc" ] || [ ! -e "$ll_dir/pid" ]; then return; fi
  ll_job='' ll_sessions=''
  ll_add_its_session
  ll_pattern="^LIFTLOCK_STEP_DIR=$(ll_quote "$ll_dir")\$"
  ll_end 5 || ll_fail "$ll_dir" "processes of the step live on after KILL: $ll_left"
}

ll_runs() { [ ! -e "$ll_dir/rc" ] && ll_alive "$ll_dir/pid"; }

ll_remove_steps() {
  [ -n "$ll_doomed" ] && cd "$ll_base/steps" 2>/dev/null || return 0
  # shellcheck disable=SC2086 # names, checked
  ll_said=$(rm -rf -- $ll_doomed 2>&1) || ll_fail "$ll_base/steps" "$ll_said"
}

# DAYS: of many, some; the next call goes on.
ll_tidy() {
  ll_doomed='' ll_kept=''
  for ll_dir in $(ll_list_old "$ll_base/steps" d "$1" | head -n 500); do
    ll_step=${ll_dir##*/} ll_dir=$ll_base/steps/${ll_dir##*/}
    ll_runs || ll_doomed="$ll_doomed $ll_step"
  done
  ll_remove_steps
  for ll_dir in "$ll_base"/steps/*; do
    ! ll_runs || ll_kept="$ll_kept $ll_starter"
  done
  for ll_other in $(ll_list_old "$ll_base/runner" f "$1"); do
    case " $ll_kept ${ll_self##*/} " in *" ${ll_other##*/} "*) continue ;; esac
    # Supervisors start services by it.
    grep -qsF "${ll_other##*/}" "$ll_base"/apps/*/run/*/*.service \
      "$ll_base"/apps/*/run/*/supervisor.conf || rm -f "$ll_base/runner/${ll_other##*/}"
  done
  ll_say TIDIED
}

# FOLDER KIND DAYS: what lies there and has not been written to for so long.
ll_list_old() {
  (cd "$1" 2>/dev/null && find . ! -name . -prune -type "$2" -name '[A-Za-z0-9_-]*' \
    ! -name '*[!A-Za-z0-9._-]*' -mtime "+$(($3 - 1))")
}
