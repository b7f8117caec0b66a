#!/bin/sh
# The runner's way of giving files: says which there are, and gives the contents of some.
# Shipped in one file with runner.sh, which is the place to begin reading.
#   list   stdin: as of a step, the place being where it would run
#   give   the same, then paths in there, each with a NUL behind it
# Both hold the job's locks while they work: what is read is not what another job writes just now.
# shellcheck disable=SC2034,SC2154 # what the other parts read and set

# The place may be a link itself; GONE when there is no such folder.
ll_enter() {
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_fence "$ll_job" "$ll_note" $ll_locks
  cd -P "$ll_base/$ll_cwd" 2>/dev/null && return
  ll_say GONE
  exit 1
}

# Lines, each with the name at its end:
#   ^ FOLDER         the real path of the folder WITHIN, then of the place
#   ! REASON NAME    what is no file that can be given; control characters are shown as `?`
#   @ NAME ...       links to files, and behind some of them as many lines `> TARGET`
#   = SIZE NAME      each file, and then or before that its sha256 as sha256sum writes it
# One after the other, for lines of two programs at a time would be mixed.
ll_list() {
  ll_end_listing
  ll_enter
  ll_say FOUND
  printf '^ %s\n' "$(cd -P "$WITHIN" 2>/dev/null && pwd -P)" "$(pwd -P)"
  LIFTLOCK_LISTING=$ll_base/$ll_job sh "$ll_self" _list </dev/null && printf .
}

# The job's earlier one, which reads on for minutes when its caller is gone.
ll_end_listing() {
  [ -n "$ll_job" ] || return 0
  # shellcheck disable=SC2086 # names and tokens, checked
  ll_raise $ll_locks
  ll_listing=$ll_job ll_job='' ll_sessions=''
  ll_pattern="^LIFTLOCK_LISTING=$(ll_quote "$ll_base/$ll_listing")\$"
  ll_end 1
  ll_job=$ll_listing
}

# Of the folder it stands in. One process with a mark, from which all others descend.
ll_list_all() {
  LC_ALL=C
  export LC_ALL
  ll_odd='*[[:cntrl:]]*'
  # shellcheck disable=SC2016 # for the shells of xargs
  {
    find . ! -type d -path "$ll_odd" -print0 | tr '\001-\037\177' '?' | tr '\000' '\n' |
      sed 's/^/! control /'
    find . ! -type d ! -type f ! -type l ! -path "$ll_odd" | sed 's/^/! special /'
    find . -type d -print0 | xargs -0 -r sh -c '
      for p; do [ -r "$p" ] && [ -x "$p" ] || printf "! closed %s\n" "$p"; done
    ' sh
    find . -type l ! -path "$ll_odd" -print0 | xargs -0 -r sh -c '
      for p; do
        if [ -d "$p" ]; then printf "! folder %s\n" "$p"
        elif [ ! -e "$p" ]; then printf "! nowhere %s\n" "$p"
        elif [ ! -f "$p" ]; then printf "! special %s\n" "$p"
        fi
      done
    ' sh
    find . -type l ! -path "$ll_odd" -print0 | xargs -0 -r sh -c '
      for p; do [ ! -f "$p" ] || printf "%s\000" "$p"; done
    ' sh | xargs -0 -r sh -c 'printf "@ %s\n" "$@"; realpath "$@" | sed "s/^/> /"' sh
    find . ! -type d ! -path "$ll_odd" -print0 | xargs -0 -r sh -c '
      for p; do [ ! -f "$p" ] || printf "%s\000" "$p"; done
    ' sh | xargs -0 -r sh -c 'stat -L -c "= %s %n" "$@"; sha256sum "$@"' sh
  } 2>/dev/null
  :
}

# Nothing between them: the caller knows how long each is, and what its sum must be.
ll_give() {
  ll_enter
  ll_say GIVING
  LC_ALL=C xargs -0 -r cat 2>/dev/null
  ll_say GIVEN
}
