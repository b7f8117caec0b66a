"""HAProxy's own part of the shell scripts: its control socket, its files, its one frontend."""

from worker.routers.dialect import SLOTS

FUNCTIONS = r"""
backend=liftlock-$INSTANCE
tell() { talk "$SOCKET" "$SUDO"; }
process() { echo 'show info' | tell 2>/dev/null | sed -n 's/^Pid: //p'; }
# Asked to be quiet, it does not say what is wrong either.
test_config() {
  said=$($SUDO "$PROGRAM" -c -f "$CONFIG" -f "$sites" 2>&1) && return 0
  printf '%s\n' "$said" >&2
  return 1
}
reload_now() {
  before=$(process)
  by_order $SUDO systemctl reload haproxy || return 1
  tries=0
  # The former process answers until the new one does.
  while now=$(process) && { [ -z "$now" ] || [ "$now" = "$before" ]; }; do
    [ "$tries" -lt 100 ] || { echo "the new process does not answer" >&2; return 1; }
    tries=$((tries + 1))
    sleep 0.1
  done
}
is_up() { [ -n "$(process)" ]; }
shared() {
  printf '%s' "$SHARED"
  at=:: both=" v4v6"
  [ -z "$BIND" ] || at=$BIND both=
  echo "  bind $at:$HTTP_PORT$both"
  set -- "$FOLDER"/certs/*.pem
  if [ -e "$1" ]; then
    echo "  bind $at:$HTTPS_PORT$both ssl crt \"$FOLDER/certs/\""
  fi
  cat "$sites"/site-*.cfg 2>/dev/null | sed -n 's/^#: /  /p' | sort -r
}
kept() {
  slot=0
  while [ "$slot" -lt @SLOTS@ ]; do
    slot=$((slot + 1)) address=
    read -r address 2>/dev/null <"$route/current/$slot/address" || [ -n "$address" ] ||
      address=127.0.0.1:1
    echo "$address"
  done
}
# A site's text has one line for its servers.
fill() {
  while IFS= read -r line; do
    if [ "$line" = "  @SERVERS@" ]; then
      kept | sed '=' | sed 'N;s/\n/ /;s/^/  server s/'
    else
      printf '%s\n' "$line"
    fi
  done
}
apply() {
  notice
  if ! [ -d "$route/current/closed" ]; then
    kept | sed '=' | sed "N;s/\n/ /;s/:/ port /;s/ / addr /;s,^,set server $backend/s,;s/\$/;/" |
      tr -d '\n' | sed 's/;$//' >"$route/orders"
    echo >>"$route/orders"
    said=$(tell <"$route/orders") || fail 63 "HAProxy does not answer at $SOCKET"
    case $said in
      *"No such"* | *nvalid* | *denied* | *nknown*)
        fail 64 "HAProxy refuses addresses for $backend; found: $said" ;;
    esac
  fi
  publish
}
# FILE: the other way overwrites it, if one of the two could be read and the other not.
as_one() { cat "$CERTIFICATE" "$KEY" 2>/dev/null >"$1" || $SUDO cat "$CERTIFICATE" "$KEY" >"$1"; }
# Of a certificate and its key it reads one file, from a folder of them.
prepare() {
  notice
  if [ -z "$CERTIFICATE" ]; then
    drop "$pem"
    return 0
  fi
  (umask 077 && mkdir -p "$FOLDER/certs" && as_one "$route/pem") ||
    fail 62 "the certificate $CERTIFICATE or its key $KEY cannot be read"
  place "$pem" "$route/pem"
}
# What the closed site says, by key; in base64, which needs no quotes anywhere.
notice() {
  for notice in "$route/maintenance" "$route/current/closed" ""; do
    ! [ -d "$notice" ] || break
  done
  : >"$route/closed.map.new"
  [ -z "$notice" ] || {
    for name in page.html page.json; do
      echo "$name $(base64 <"$notice/$name" | tr -d '\n')"
    done
    echo "retry-after $(cat "$notice/retry-after")"
  } >"$route/closed.map.new"
  mv -f "$route/closed.map.new" "$route/closed.map"
}
# All at once: the keys of a new version of the map are seen when it is committed.
publish() {
  map=$(printf '%s' "$route/closed.map" | sed 's/ /\\ /g')
  made=$(echo "prepare map $map" | tell | sed -n 's/^New version created: //p')
  [ -n "$made" ] || fail 64 "HAProxy has not loaded $route/closed.map"
  {
    while read -r line; do printf 'add map @%s %s %s;' "$made" "$map" "$line"; done \
      <"$route/closed.map"
    echo "commit map @$made $map"
  } >"$route/orders"
  said=$(tell <"$route/orders" | tr -d '\n')
  [ -z "$said" ] || fail 64 "HAProxy does not take what a closed site says; found: $said"
}
found() {
  ! [ -d "$route/current/closed" ] || return 0
  echo "show servers state $backend" | tell |
    awk -v backend="$backend" '$2 == backend { printf "%s:%s ", $5, $19 }'
}
""".replace("@SLOTS@", str(SLOTS))
