#!/bin/sh
# The runner's part for services: what a step launches, which then lives without the step.
# Shipped in one file with runner.sh, which is the place to begin reading.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

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
  # A service must not hold the locks of the step that launched it.
  cd "${RELEASE_DIR:-$1}" && exec sh "$1/run" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
}

ll_launch() {
  ! ll_alive "$1/pid" || return 0
  command -v setsid >/dev/null || ll_complain "there is no setsid; install util-linux"
  rm -f "$1/pid" || exit
  unset LIFTLOCK_STEP LIFTLOCK_STEP_DIR
  (
    export LIFTLOCK_SERVICE="$1"
    exec setsid sh "$ll_self" _serve "$1" </dev/null >>"$1/log" 2>&1
  ) &
  ll_mark=liftlock
  ll_await_pid "$1/pid" "$1/log"
}

ll_stop() {
  ll_seconds=${2%%.*} ll_locks='' ll_job='' ll_sessions=''
  ll_add_session "$1/pid"
  ll_pattern="^LIFTLOCK_SERVICE=$(ll_quote "$1")\$"
  ll_end "${ll_seconds:-0}" || ll_complain "still running after KILL: $ll_left"
  rm -f "$1/pid"
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
