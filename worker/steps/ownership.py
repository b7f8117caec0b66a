"""Shell text that says who owns what cannot be written, how it should be, and what repairs it."""

#: `ll_tell_owner folder|file PATH [SAID]` changes nothing, and prints lines for people. SAID is
#: what the system answered, in the words of LC_ALL=C.
TEXT = """\
# TEXT: as one word of a command line.
ll_word() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\\\\\''/g")"; }

# PATH: its mode, owner and group.
ll_state() {
  LC_ALL=C ls -ld "$1" 2>/dev/null | {
    read -r ll_mode _ ll_owner ll_group _ && echo "$ll_mode $ll_owner:$ll_group"
  }
}

# folder|file PATH [SAID]: how the nearest thing that exists is, how it should be, what to type.
ll_tell_owner() {
  ll_at=$2 ll_who=$(id -un):$(id -gn) ll_repair=
  while [ ! -e "$ll_at" ] && [ ! -L "$ll_at" ] && [ -n "$ll_at" ]; do ll_at=${ll_at%/*}; done
  ll_at=${ll_at:-/}
  [ "$ll_at" = "$2" ] || echo "  there is no $2"
  echo "  found:  $(ll_state "$ll_at") $ll_at"
  case ${3-} in
    *"Read-only file system"*)
      ll_mount=$(LC_ALL=C df -P "$ll_at" | sed -n '2s/.*% //p')
      echo "  wanted: a file system that can be written"
      echo "  to repair it on this host: sudo mount -o remount,rw $(ll_word "$ll_mount")"
      return
      ;;
  esac
  if [ "$1" = file ]; then
    echo "  wanted: -rw-r--r-- $ll_who $2"
  else
    echo "  wanted: drwxr-xr-x $ll_who $2"
    [ -d "$ll_at" ] || ll_repair="sudo mv $(ll_word "$ll_at") $(ll_word "$ll_at.old") && "
    ll_repair="${ll_repair}sudo mkdir -p $(ll_word "$2") && "
  fi
  ll_repair="${ll_repair}sudo chown -R $(ll_word "$ll_who") $(ll_word "$2")"
  echo "  to repair it on this host: $ll_repair && sudo chmod -R u+rwX $(ll_word "$2")"
}
"""
