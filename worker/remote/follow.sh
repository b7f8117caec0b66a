#!/bin/sh
# The runner's way of following a step: its output as it grows, then how it ended.
# Shipped in one file with runner.sh, which is the place to begin reading.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

# OFFSET
ll_attach() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  if ll_by_another; then
    ll_hand_over attach "$ll_step" "$1"
  else
    exec 6<&0
    ll_follow "$1"
  fi
}

# OFFSET
ll_follow() {
  if [ -e "$ll_dir/rc" ]; then
    ll_say DONE
  elif [ ! -e "$ll_dir/pid" ]; then
    ll_say MISSING
    return
  else
    ll_n=0 ll_naps=
    until ll_read_pid "$ll_dir/pid" || [ "$ll_n" -ge 16 ]; do
      ll_n=$((ll_n + 1))
      ll_nap
    done
    ll_say RUNNING "$(ll_age)"
  fi
  ll_stream "$1" ll_await_rc
}

# Seconds since the step began, by a clock that nobody sets (Linux counts a hundred ticks to every
# user's second), and since it last said something. How a dead one ended is more than its age.
ll_age() {
  ll_alive "$ll_dir/pid" || return 0
  ll_clock
  echo "$((ll_now - ll_born / 100)) $(($(date +%s) - $(stat -c %Y "$ll_dir/log")))"
}

# The pipe closes with the step's process.
ll_await_close() { while read -r _; do :; done; }

ll_await_rc() {
  ll_naps=
  until [ -e "$ll_dir/rc" ] || ! ll_alive "$ll_dir/pid"; do ll_nap; done
}

# OFFSET AWAIT: the log from there on until the step ends, then how it ended.
ll_stream() {
  exec 3<"$ll_dir/log"
  # One read moves the place from which every `cat` below goes on.
  [ "$1" -eq 0 ] || dd bs="$1" count=1 <&3 >/dev/null 2>&1
  # $$ would be the process around this one.
  read -r ll_me _ </proc/self/stat
  if [ ! -e "$ll_dir/rc" ]; then
    ll_pump 2>/dev/null &
    ll_pump=$!
    "$2"
    { kill "$ll_pump" && wait "$ll_pump"; } 2>/dev/null
    if [ ! -e "$ll_dir/rc" ]; then
      cat <&3 || exit
      ll_settle || return
    fi
  fi
  [ ! -s "$ll_dir/log" ] || cat <&3 || exit
  ll_stream_tail "$1"
  read -r ll_rc <"$ll_dir/rc"
  [ "$ll_rc" -eq 0 ] || ll_mention_full_disk
  ll_say EXIT "$ll_rc"
}

# Shows the log as it grows, in the background.
ll_pump() {
  trap ll_end_pump TERM
  ll_watcher='' ll_naps='' ll_napping='' ll_turns=0
  while :; do
    [ -n "$ll_naps" ] || ll_naps='0.01 0.01 0.01 0.02 0.02 0.04 0.04 0.1 0.1 0.2'
    sleep "${ll_naps%% *}" >/dev/null 3<&- 6<&- &
    ll_napping=$!
    wait "$ll_napping"
    ll_naps=${ll_naps#* }
    cat <&3 || {
      # The caller is gone.
      kill "$ll_me" $$ $ll_watcher
      exit
    }
    ll_turns=$((ll_turns + 1))
    [ "$ll_turns" -ne 8 ] || ll_take_seriously
  done
}

ll_end_pump() {
  # shellcheck disable=SC2086 # numbers, or nothing
  kill $ll_napping $ll_watcher
  # It would take the beginning of the caller's next call.
  [ -z "$ll_watcher" ] || wait "$ll_watcher"
  exit 0
}

# This one takes longer. A crash of the host shall not make it look as if it never began.
ll_take_seriously() {
  read -r ll_pump _ </proc/self/stat
  # Not between its start and the note of its number.
  ll_over=
  trap 'll_over=yes' TERM
  # The caller holds stdin open. A silent step gives no cause to write, so that a broken pipe would
  # tell that it left; and this process would keep one of the few sessions of the SSH server.
  (
    trap - TERM
    # Without a program of its own, which would outlive it and go on reading.
    while read -r _; do :; done <&6
    kill "$ll_me" $$ "$ll_pump"
  ) >/dev/null 3<&- &
  ll_watcher=$!
  trap ll_end_pump TERM
  [ -z "$ll_over" ] || ll_end_pump
  sync "$ll_dir/pid" "$ll_dir"
}

# After the process is gone: says LOST, and fails, when there will be no exit code.
ll_settle() {
  ll_n=0 ll_naps=
  while [ ! -e "$ll_dir/rc" ]; do
    ll_rc=
    { read -r ll_rc <"$ll_dir/rc.new"; } 2>/dev/null
    if [ -n "$ll_rc" ]; then
      # Only the renaming was missing.
      mv "$ll_dir/rc.new" "$ll_dir/rc" 2>/dev/null
    elif ll_read_pid "$ll_dir/pid" && [ "$ll_boot" != "$ll_boot_now" ]; then
      ll_say LOST reboot
      return 1
    elif [ ! -e "$ll_dir/killed" ] || [ "$ll_n" -ge 90 ]; then
      ll_say LOST "killed $(tail -n 3 "$ll_dir/trouble" 2>/dev/null | tr '\n' ' ')"
      return 1
    else
      # Whoever kills it writes the code, after the last of its processes is gone.
      ll_nap
      ll_n=$((ll_n + 1))
    fi
  done
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
