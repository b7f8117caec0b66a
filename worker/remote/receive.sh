#!/bin/sh
# The runner's way of taking in files: says what stands there, receives the rest, puts it in place.
# Shipped in one file with runner.sh, which is the place to begin reading.
#   compare   stdin: as of a step, the place being where it would run; then paths in there, each
#             with a NUL behind it
#   receive   the same, then a tar of `paths`, `tree/` and last `digest`
# Both hold the job's locks while they work: whoever may not start a step may not write files either.
# shellcheck disable=SC2154 # what runner.sh sets

# Of each path: `d` folder, `x` executable, `-` other file; then the sha256 of the files. What is
# left out is missing, or a link, which is not the same as what it points to.
ll_compare() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_fence "$ll_job" "$ll_note" $ll_locks
  ll_say FOUND
  cd "$ll_base/$ll_cwd" 2>/dev/null || return 0
  # shellcheck disable=SC2016 # for the shells of xargs
  LC_ALL=C xargs -0 -r sh -c '
    for p; do
      if [ -L "$p" ]; then continue; fi
      if [ -d "$p" ]; then echo "d $p"; elif [ -x "$p" ]; then echo "x $p"; else echo "- $p"; fi
    done
    for p; do
      [ -L "$p" ] || [ ! -f "$p" ] || printf "%s\000" "$p"
    done | xargs -0 -r sha256sum
  ' sh 2>/dev/null
}

# Nothing that stands there is touched before everything has arrived and was found undamaged.
ll_receive() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_fence "$ll_job" "$ll_note" $ll_locks
  ll_target=$ll_base/$ll_cwd
  ll_check_within
  # On the file system of the place itself, so that moving is renaming.
  ll_room=$ll_target
  if [ ! -d "$ll_target" ]; then
    ll_room=${ll_target%/*}
    ll_said=$(mkdir -p "$ll_room" 2>&1) || ll_fail "$ll_room" "$ll_said"
  fi
  ll_stage=$ll_room/.liftlock-$ll_mark
  trap 'rm -rf "$ll_stage"' EXIT
  trap 'exit 1' HUP INT PIPE TERM
  for ll_old in "$ll_room"/.liftlock-*; do
    ll_alive "$ll_old/pid" || rm -rf "$ll_old"
  done
  ll_said=$( (umask 077 && mkdir "$ll_stage" && ll_sign "$ll_stage/pid") 2>&1) ||
    ll_fail "$ll_target" "$ll_said"
  ll_said=$(cd "$ll_stage" && LC_ALL=C tar -xopf - 2>&1) || ll_fail "$ll_target" "$ll_said"
  if ! ll_undamaged; then
    ll_say DAMAGED
    return
  fi
  # The stream may have stood still for hours, and the lock does not keep out the same job's next
  # attempt.
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_place
  ll_say RECEIVED
}

# The names are in neither sum, for some programs write odd ones in a way of their own.
ll_undamaged() {
  [ -f "$ll_stage/digest" ] || return 1
  ll_sum=$(cd "$ll_stage/tree" && LC_ALL=C xargs -0 -r sha256sum <../paths |
    sed 's/^\\//' | cut -c 1-64 | sha256sum)
  read -r ll_wanted <"$ll_stage/digest"
  [ "${ll_sum%% *}" = "$ll_wanted" ]
}

ll_place() {
  if [ "$ll_room" = "$ll_target" ]; then
    ll_check_places
    ll_merge
  elif [ -e "$ll_target" ] || [ -L "$ll_target" ]; then
    ll_fail "$ll_target" "a folder is to come here, and something else stands there"
  else
    ll_said=$(mv "$ll_stage/tree" "$ll_target" 2>&1) || ll_fail "$ll_target" "$ll_said"
  fi
}

# Where links lead to a folder that others use too, nothing is put there. What is missing of the
# target will be made, so the nearest folder that is there tells.
ll_check_within() {
  [ -n "${WITHIN:-}" ] || return 0
  ll_way=$ll_target
  while [ ! -d "$ll_way" ]; do ll_way=${ll_way%/*}; done
  ll_real=$(cd -P "$ll_way" 2>/dev/null && pwd -P)
  ll_wanted=$(cd -P "$WITHIN" 2>/dev/null && pwd -P)
  case $ll_real/ in "${ll_wanted:-/dev/null}"/*) return ;; esac
  ll_say OUTSIDE "${ll_real:-$ll_way}"
  exit 1
}

# A link in the way could lead out of the folder; a folder would swallow a file.
ll_check_places() {
  # shellcheck disable=SC2016 # for the shells of find
  ll_way=$(cd "$ll_stage/tree" && find . -exec sh -c '
    for p; do
      t=$0/$p
      if [ -d "$p" ]; then
        [ ! -L "$t" ] && { [ -d "$t" ] || [ ! -e "$t" ]; } || printf "%s\n" "$t"
      else
        [ ! -d "$t" ] || printf "%s\n" "$t"
      fi
    done
  ' "$ll_target" {} + | head -n 1)
  [ -z "$ll_way" ] || ll_fail "$ll_way" "a link stands there, or a folder for a file, or the reverse"
}

# Whole folders where there was none; elsewhere each file takes the place of the old one at once.
ll_merge() {
  cd "$ll_stage/tree" || exit
  find . -type d >../folders
  while IFS= read -r ll_folder; do
    [ -d "$ll_folder" ] || continue # it went with its parent
    if [ -d "$ll_target/$ll_folder" ]; then
      # shellcheck disable=SC2016 # for the shells of find
      ll_said=$(find "$ll_folder" -maxdepth 1 -type f -exec \
        sh -c 'exec mv -f -- "$@" "$0"' "$ll_target/$ll_folder/" {} + 2>&1)
    else
      ll_said=$(mv "$ll_folder" "$ll_target/$ll_folder" 2>&1)
    fi || ll_fail "$ll_target/$ll_folder" "$ll_said"
  done <../folders
}
