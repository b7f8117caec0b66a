"""The files that a router's main file includes, in shell: placed, proven, or taken back."""

PLACING = r"""
# What the file of the site shall be. The digest is the answer at its own path, later.
wanted() {
  sum=
  [ -z "$CERTIFICATE" ] || sum=$({ peek "$CERTIFICATE" || :; peek "$KEY" || :; } | sha256sum)
  digest=$(printf '%s' "$TEXT$sum$route" | sha256sum | cut -c 1-16)
  printf '%s' "$TEXT" | sed "s|@ROUTE@|$route|g;s|@DIGEST@|$digest|g" | fill >"$route/site"
}
# Which certificate that digest is about, so that a renewed one is told from tampering.
keep_sum() {
  printf '%s' "$sum" >"$route/sum.new"
  mv -f "$route/sum.new" "$route/sum"
}
is_renewed() {
  told=
  ! [ -e "$route/sum" ] || read -r told <"$route/sum" || :
  [ -n "$told" ] && [ -n "$sum" ] && [ "$told" != "$sum" ]
}
running() {
  printf 'GET /.well-known/liftlock HTTP/1.0\r\nHost: %s\r\n\r\n' "${DOMAIN:-liftlock.invalid}" |
    talk "$ADDRESS:$HTTP_PORT" | tr -d '\r' | sed '1,/^$/d'
}
# The word behind the digest is the set that the router itself sees, where it can tell.
in_force() {
  answer=$(running | head -n 1)
  [ "${answer%% *}" = "$digest" ] || return 1
  case ${answer#* } in - | "$(readlink "$route/current")") return 0 ;; esac
  return 1
}
# Each address once, by the program's own account where it gives one.
upstreams() { found | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/^ *//;s/ *$//'; }
# FILE NEW: into place. The former one is kept until it is proven, elsewhere: routers read all of
# their folders.
place() {
  if cmp -s "$1" "$2"; then rm -f "$2"; return 0; fi
  keep "$1"
  case $1 in
    *.pem) mv -f "$2" "$1" ;;
    *) cp "$2" "$1.new"; mv -f "$1.new" "$1"; rm -f "$2" ;;
  esac
}
drop() {
  [ -e "$1" ] || return 0
  keep "$1"
  rm -f "$1"
}
keep() {
  changed=yes placed="$placed|$1"
  (umask 077 && mkdir -p "$FOLDER/old")
  rm -f "$FOLDER/old/${1##*/}"
  [ ! -e "$1" ] || cp -p "$1" "$FOLDER/old/"
}
take_back() {
  for file in "$site" "$common" "$pem"; do
    case "$placed|" in *"|$file|"*) ;; *) continue ;; esac
    if [ -e "$FOLDER/old/${file##*/}" ]; then
      mv -f "$FOLDER/old/${file##*/}" "$file"
    else
      rm -f "$file"
    fi
  done
}
place_common() {
  [ -n "$SHARED" ] || return 0
  shared >"$FOLDER/common.new"
  place "$common" "$FOLDER/common.new"
}
prove_and_reload() {
  trap 'take_back; exit 143' TERM INT HUP
  test_config || { take_back; fail 62 "the program's own test refuses the configuration"; }
  reload_now || { take_back; fail 62 "the program does not load the configuration"; }
  trap - TERM INT HUP
  rm -rf "$FOLDER/old"
}
"""
