#!/bin/sh
# A step's own process: it takes the locks, runs the script, keeps the output and the exit code.
# Shipped in one file with runner.sh, which is the place to begin reading; this process reads the
# file only up to the end of this part.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set
set -u

ll_log_limit=4194304
ll_tail_limit=65536
ll_nl='
'
case $0 in /*) ll_self=$0 ;; *) ll_self=${PWD%/}/$0 ;; esac
ll_base=${ll_self%/runner/*}
read -r ll_boot_now </proc/sys/kernel/random/boot_id || ll_boot_now=unknown

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

# PROGRAM PACKAGE
ll_lack() {
  ll_say FAILED
  printf 'missing=%s\npackage=%s\n' "$1" "$2"
  exit 1
}

ll_free_kb() {
  LC_ALL=C df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ ll_free _ && echo "$ll_free"; }
}

# FILE TEXT
ll_write() {
  { printf '%s\n' "$2" >"$1"; } 2>/dev/null && return
  ll_said=$({ printf '%s\n' "$2" >"$1"; } 2>&1)
  ll_fail "$1" "$ll_said"
}

# PID: its state, parent, group and start time; fails when there is no such process.
ll_look() {
  ll_stat=
  # The name of a program may contain anything, also a newline.
  { while IFS= read -r ll_line; do ll_stat=$ll_stat$ll_line; done <"/proc/$1/stat"; } 2>/dev/null
  [ -n "$ll_stat" ] || return 1
  # shellcheck disable=SC2086 # the fields after the program's name are numbers
  set -- ${ll_stat##*) }
  ll_state=$1 ll_group=$3 ll_start=${20}
}

# Sleeps a little longer each time; ll_naps is emptied to begin anew.
ll_nap() {
  [ -n "${ll_naps:-}" ] || ll_naps='0.005 0.005 0.01 0.01 0.02 0.02 0.04 0.04 0.1 0.1 0.2'
  sleep "${ll_naps%% *}" 2>/dev/null || sleep 1
  ll_naps=${ll_naps#* }
}

# --- the step's process ------------------------------------------------------------------------

# STEP CWD SCRIPT JOB NOTE [NAME TOKEN]...: a session of its own. Its stdout is the runner that
# started it: one answer there, and its closing tells that the step has ended.
ll_step() {
  ll_dir=$ll_base/steps/$1 ll_cwd=$2 ll_script=$3
  shift 3
  ll_say() { printf '%s\n' "$*"; }
  # TERM is for the script; this one reports its end. PIPE: nobody may be listening any more.
  trap : TERM HUP INT PIPE
  ll_fence "$@"
  if ! ll_begin; then
    rm -f "$ll_script"
    ll_say TWICE
    exit
  fi
  # The room on the disk is taken now, so that a full disk cannot swallow the exit code.
  if ! { printf '   \n' >"$ll_dir/rc.new" && printf '          \n' >"$ll_dir/keeper" &&
    cd "$ll_base/$ll_cwd"; }; then
    rm -f "$ll_dir/pid"
    ll_fail "$ll_base/$ll_cwd" "$(tail -n 3 "$ll_dir/trouble")"
  fi
  ll_say STARTED
  ll_run_script | ll_keep
  ll_seal
}

# Signs the step's folder, once ever: of those who start the same step one gets past this line.
# After a kill nobody does.
ll_begin() {
  ll_look $$
  set -C
  { printf '%s\n' "$$ $ll_start $ll_boot_now ${ll_self##*/}" >"$ll_dir/pid"; } 2>/dev/null
  ll_first=$?
  set +C
  [ "$ll_first" -eq 0 ] || return 1
  [ -e "$ll_dir/killed" ] || return 0
  printf '137\n' >"$ll_dir/rc.new"
  ll_seal
  return 1
}

ll_run_script() {
  ll_sent=
  trap ll_sent=TERM TERM
  trap ll_sent=HUP HUP
  trap ll_sent=INT INT
  sh -eu "$ll_script" 2>&1
  ll_rc=$?
  # The end of the output, unless something in the background holds it too.
  exec >/dev/null
  if ll_ended_by_others; then
    echo "All of its processes were sent $ll_sent." >&2
  else
    printf '%-3s\n' "$ll_rc" 1<>"$ll_dir/rc.new"
    sync "$ll_dir/rc.new" 2>/dev/null || sync
  fi
  ll_await_keeper || kill -s USR1 "$ll_keeper"
}

# Whether the signal that ended the script came to this process too, and not from Liftlock: the host
# is going down, or somebody ends the step. The code would say nothing of the script then.
ll_ended_by_others() {
  case $ll_rc in 129 | 130 | 137 | 143) ;; *) return 1 ;; esac
  ll_naps='' ll_n=0
  until [ -e "$ll_dir/killed" ]; do
    [ -z "$ll_sent" ] || return 0
    # Whoever signals every process of a host takes one after the other.
    [ "$ll_n" -lt 8 ] || return 1
    ll_n=$((ll_n + 1))
    ll_nap
  done
  return 1
}

# Fails when the output is still held open, 2 s being enough for the rest of it.
ll_await_keeper() {
  ll_naps='' ll_n=0
  while read -r ll_keeper <"$ll_dir/keeper"
    [ -z "$ll_keeper" ] || { ll_look "$ll_keeper" && [ "$ll_state" != Z ]; }
  do
    [ "$ll_n" -lt 38 ] || return 1
    ll_n=$((ll_n + 1))
    # Mostly it is a matter of some hundred microseconds.
    [ "$ll_n" -le 20 ] || ll_nap
  done
}

# Stores the output: its beginning in `log`, then the newest in `more` and `more.old`.
ll_keep() {
  exec 3<&0 >/dev/null
  trap '' TERM HUP INT
  trap ll_let_go USR1
  # $$ would be the process around it.
  read -r ll_keeper _ </proc/self/stat
  printf '%-10s\n' "$ll_keeper" 1<>"$ll_dir/keeper"
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
  LC_ALL=C dd bs="$1" count="$2" <&3 3<&- >>"$3" 2>"$ll_dir/reads" &
  ll_dd=$!
  # A disk that cannot take more, or not even dd's report, must not stop the step.
  wait "$ll_dd" || exec cat <&3 >/dev/null
  while read -r ll_reads ll_word _; do
    # GNU's dd may warn first. `3+21 records in`: whole blocks and parts of one.
    [ "$ll_word" != records ] || break
  done <"$ll_dir/reads"
  case $ll_reads in '' | *[!0-9+]*) exec cat <&3 >/dev/null ;; esac
  [ $((${ll_reads%+*} + ${ll_reads#*+})) -ge "$2" ]
}

# A process left behind may still write: it must not die of it, nor must the step wait for it.
ll_let_go() {
  kill "$ll_dd" 2>/dev/null
  cat <&3 >/dev/null 2>&1 &
  exit 0
}

# The last part of the output, then the exit code, which is on the disk already. It is blank when
# something ended even the shell around the script: then nobody knows how the step ended.
ll_seal() {
  read -r ll_rc <"$ll_dir/rc.new"
  [ -n "$ll_rc" ] || return 0
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
  mv "$ll_dir/rc.new" "$ll_dir/rc"
}

if [ "${1:-}" = _step ]; then
  shift
  ll_step "$@"
  exit
fi
