"""The shell text of an extension's steps on a host: its stamp, its lock, its media.

The lock is the kernel's and goes with its holder; its file is never removed, for two could hold one
name then. `LL_EVERY` seconds lie between `LL_ATTEMPTS` attempts, and none begins `LL_LONGEST`
seconds after the first.
"""

from worker.steps import ownership

LOCKED, NO_LOCK, LOCK_UNWRITABLE, UNSTAMPED, FULL, INCOMPLETE, NO_TOOL = range(91, 98)

#: `ll_is FILE`: whether a stamp says the version that is wanted; one that cannot be read does not.
_IS = """\
ll_is() { [ -f "$1" ] && [ "$(head -c 300 "$1" 2>/dev/null)" = "$LL_VERSION" ]; }
"""

FIND = f"""\
{_IS}
if ll_is "$LL_STAMP"; then
  echo "$LL_STAMP says $LL_VERSION"
  echo "$LL_FACT=yes"
else
  # What it says instead comes from the host, and is one line.
  said=$(head -c 100 "$LL_STAMP" 2>/dev/null | LC_ALL=C tr -cd '[:print:]') || said=
  echo "$LL_STAMP does not say $LL_VERSION but: ${{said:-nothing}}"
  echo "$LL_FACT=no"
fi
"""

KEEP_LIST = """\
set -eu
umask 022
mkdir -p "${LL_LIST%/*}"
number=0
while [ "$number" -lt "$LL_PARTS" ]; do
  number=$((number + 1))
  eval "printf '%s' \\"\\$LL_PART_$number\\""
done >"$LL_LIST.new"
echo >>"$LL_LIST.new"
mv -f "$LL_LIST.new" "$LL_LIST"
echo "$LL_LIST is written"
"""

#: `ll_take` takes the lock: 0 it is held, 1 not now, 2 never. `ll_persist FUNCTION` calls one that
#: answers in this way until it has settled, and ends the script when there is no hope.
_ATTEMPTS = f"""\
set +e
command -v flock >/dev/null || {{ echo "missing on this host: flock" >&2; exit {NO_TOOL}; }}
{ownership.TEXT}
{_IS}
# What the system said under LC_ALL=C: 1 may pass (EACCES, EROFS, EAGAIN, EINTR), 2 stays.
ll_passes() {{
  case $ll_said in
    *"Permission denied"* | *"Read-only file system"*) ll_why="it cannot be written" ;;
    *"temporarily unavailable"* | *"Interrupted system call"*) ll_why="it is busy" ;;
    *) return 2 ;;
  esac
  return 1
}}
ll_taken=
ll_take() {{
  [ -z "$ll_taken" ] || return 0
  ll_file=$LL_LOCK ll_what="the lock $LL_LOCK" ll_code={LOCK_UNWRITABLE}
  ll_said=$( (export LC_ALL=C; umask 022; mkdir -p "${{LL_LOCK%/*}}" && : >>"$LL_LOCK") 2>&1) || {{
    ll_passes
    return
  }}
  # The runner's own locks are open from 9 down.
  exec 4>>"$LL_LOCK"
  if ll_said=$(LC_ALL=C flock -n 4 2>&1); then
    ll_taken=yes
    return 0
  fi
  if [ -n "$ll_said" ]; then
    ll_passes
    return
  fi
  ll_why="another process holds it" ll_code={LOCKED}
  return 1
}}
# FUNCTION
ll_persist() {{
  ll_tried=0 ll_end=$(($(date +%s) + LL_LONGEST))
  while :; do
    ll_tried=$((ll_tried + 1)) ll_said=
    "$1"
    case $? in
      0) return ;;
      1) echo "attempt $ll_tried of $LL_ATTEMPTS: $ll_what: $ll_why" ;;
      *) ll_cannot ;;
    esac
    [ "$ll_tried" -lt "$LL_ATTEMPTS" ] && [ "$(date +%s)" -lt "$ll_end" ] || break
    sleep "$LL_EVERY"
  done
  ll_times="There have been $ll_tried attempts"
  [ "$ll_tried" -ne 1 ] || ll_times="There has been 1 attempt"
  {{
    echo "$ll_times at $ll_what"
    echo "for the release $LL_RELEASE: $ll_why. $ll_said"
    if [ "$ll_code" = {LOCKED} ]; then
      echo "  found:  $(ll_state "$LL_LOCK") $LL_LOCK"
      echo "  to see on this host who holds it: sudo fuser -v $(ll_word "$LL_LOCK")"
    else
      ll_tell
    fi
  }} >&2
  exit "$ll_code"
}}
# The file that cannot be written, or the folder that it is to be in.
ll_tell() {{
  if [ -f "$ll_file" ] && [ -w "${{ll_file%/*}}" ]; then
    ll_tell_owner file "$ll_file" "$ll_said"
  else
    ll_tell_owner folder "${{ll_file%/*}}" "$ll_said"
  fi
}}
# Nothing that passes by itself.
ll_cannot() {{
  echo "unexpected error with $ll_what for the release $LL_RELEASE, after $ll_tried attempt(s):" >&2
  echo "$ll_said" >&2
  case $ll_said in
    *"No space left"* | *"quota exceeded"*) df -Pk "${{LL_RELEASE%/*}}" >&2; exit {FULL} ;;
  esac
  [ "$ll_code" = {UNSTAMPED} ] || ll_code={NO_LOCK}
  ll_tell >&2
  exit "$ll_code"
}}
# FILE: the version, by rename, so that it is there whole or not at all; answers as `ll_take`.
ll_write() {{
  ll_file=$1 ll_what=$1 ll_code={UNSTAMPED}
  ll_said=$(
    {{
      export LC_ALL=C
      umask 022
      mkdir -p "${{1%/*}}" && printf '%s\\n' "$LL_VERSION" >"$1.new-$$" && mv -f "$1.new-$$" "$1"
    }} 2>&1
  ) && return
  rm -f "$1.new-$$" 2>/dev/null
  ll_passes
}}
"""

#: The recipe's own text takes the place of `{run}`.
INSTALL = f"""\
{_ATTEMPTS}
ll_is_done() {{ ll_is "$LL_STAMP" || ll_is "$LL_MARK"; }}
ll_hold() {{ ll_is_done || ll_take; }}
ll_persist ll_hold
# Again, now that nobody else can be at it.
if ll_is_done; then
  echo "the release has $EXTENSION $LL_VERSION already: nothing is done"
  exit 0
fi
(
set -eu
{{run}}
) 4>&-
ll_ended=$?
# These mean something here.
[ "$ll_ended" -lt {LOCKED} ] || [ "$ll_ended" -gt {NO_TOOL} ] || ll_ended=1
[ "$ll_ended" = 0 ] || exit "$ll_ended"
ll_mark() {{ ll_write "$LL_MARK"; }}
ll_persist ll_mark
"""

STAMP = f"""\
{_ATTEMPTS}
ll_stamped() {{
  ll_is "$LL_STAMP" && return
  ll_take || return
  ll_is "$LL_STAMP" && return
  [ -d "$LL_RELEASE" ] || {{
    ll_file=$LL_STAMP ll_what=$LL_STAMP ll_code={UNSTAMPED} ll_said="there is no such release"
    return 2
  }}
  # Before the host could lose what the stamp vouches for.
  sync -f "$LL_RELEASE" 2>/dev/null || sync
  ll_write "$LL_STAMP"
}}
ll_persist ll_stamped
ll_is "$LL_STAMP" || {{
  echo "$LL_STAMP was written and does not say $LL_VERSION" >&2
  exit {UNSTAMPED}
}}
echo "$LL_STAMP says $LL_VERSION"
"""

FORGET_STAMP = """\
rm -f "$LL_STAMP"
[ ! -e "$LL_STAMP" ]
echo "$LL_STAMP is gone"
"""

#: What a look reports is in `app.domain.extension_sighting`, and begins with `LL_FACT`.
LOOK_AT_STAMP = f"""\
{_IS}
ll_stamp=no
if ll_is "$LL_STAMP"; then ll_stamp=yes; fi
echo "${{LL_FACT}}_stamp=$ll_stamp"
cd "$RELEASE_DIR" || {{
  echo "${{LL_FACT}}_media=no"
  echo "${{LL_FACT}}_said=there is no release $RELEASE_DIR"
  exit 0
}}
"""

ALL_THERE = """\
echo "${LL_FACT}_media=yes"
echo "${LL_FACT}_said="
"""

#: `LL_IGNORE` has one pattern a line. The recipe's own text takes the place of `{run}`.
MEDIA = f"""\
set +e
target=$RELEASE_DIR/$LL_TARGET
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
(
set -eu
{{run}}
) >"$work/folders"
ended=$?
[ "$ended" = 0 ] || {{ cat "$work/folders"; exit 1; }}
set -f
set --
while IFS= read -r pattern; do
  [ -n "$pattern" ] || continue
  [ $# = 0 ] || set -- "$@" -o
  set -- "$@" -name "$pattern" -o -path "./$pattern"
done <<END
$LL_IGNORE
END
[ $# = 0 ] || set -- '!' -name . '(' "$@" ')' -prune -o
export LC_ALL=C
count=0
: >"$work/wrong"
while IFS= read -r folder; do
  [ -n "$folder" ] || continue
  (cd "$folder" && find -L . "$@" -type f -exec sha256sum {{}} +) >"$work/sums" || {{
    echo "the folder $folder of $EXTENSION cannot be read" >&2
    exit {INCOMPLETE}
  }}
  found=$(wc -l <"$work/sums")
  echo "$folder: $((found)) files"
  [ "$((found))" -gt 0 ] || continue
  count=$((count + found))
  [ -d "$target" ] || {{
    echo "there is no folder $target for the $((count)) files of $EXTENSION" >&2
    exit {INCOMPLETE}
  }}
  (cd "$target" && sha256sum -c -) <"$work/sums" 2>"$work/said" >"$work/checked" && continue
  sed -n 's/: FAILED.*//p' "$work/checked" >"$work/failed"
  [ -s "$work/failed" ] || {{
    cat "$work/said" >&2
    exit {INCOMPLETE}
  }}
  cat "$work/failed" >>"$work/wrong"
done <"$work/folders"
[ -s "$work/wrong" ] || {{
  echo "all $count files are in $target with their bytes"
  echo "media_files=$count"
  exit 0
}}
wrong=$(wc -l <"$work/wrong")
echo "$((wrong)) of $count files of $EXTENSION are not in $target as in its package:" >&2
head -n 10 "$work/wrong" | while IFS= read -r path; do
  if [ -f "$target/$path" ]; then how=different; else how=missing; fi
  echo "  $how: ${{path#./}}"
done >&2
exit {INCOMPLETE}
"""

#: Only what is known to be incomplete is told; whatever else goes wrong fails. The first files are
#: in one line, with tabs between them.
LOOK_AT_MEDIA = f"""\
set +e
ll_output=$(mktemp) || exit 1
trap 'rm -f "$ll_output"' EXIT
(
{MEDIA}
) >"$ll_output" 2>&1
ll_ended=$?
cat "$ll_output"
case $ll_ended in
  0) echo "${{LL_FACT}}_media=yes"; echo "${{LL_FACT}}_said="; exit 0 ;;
  {INCOMPLETE}) ;;
  # Without its stamp it is incomplete, whatever else goes wrong.
  *) [ "$ll_stamp" = no ] || exit "$ll_ended" ;;
esac
# A full disk says nothing of the files.
! grep -qF -e 'No space left on device' -e 'quota exceeded' "$ll_output" || exit 1
ll_wrong=$(sed -n 's/^\\([0-9][0-9]*\\) of [0-9]* files of .* are not in .*/\\1/p' "$ll_output")
if [ -n "$ll_wrong" ]; then
  ll_said=$(
    sed -n -e 's/^  \\(missing: .*\\)/\\1/p' -e 's/^  \\(different: .*\\)/\\1/p' "$ll_output" |
      tr '\\n' '\\t'
  )
else
  ll_wrong=no ll_said=$(tail -n 1 "$ll_output")
  [ -n "$ll_said" ] || exit 1
fi
echo "${{LL_FACT}}_media=$ll_wrong"
printf '%s\\n' "${{LL_FACT}}_said=$ll_said"
exit 0
"""
