"""Everything that a router can be told, as shell scripts; POSIX sh, values as environment."""

from worker.routers.folder import BEGINNING
from worker.routers.placing import PLACING

PRELUDE = BEGINNING + PLACING

FIND = r"""
need_tools
need_up
"$PROGRAM" version 2>/dev/null || "$PROGRAM" -v 2>&1 | head -n 1
"""

CONFIGURE = r"""
need "$PROGRAM"
alone
need_up
not_older
if [ ! -e "$route/current" ]; then
  make_set
  turn current "$made"
fi
prepare
wanted
place "$site" "$route/site"
place_common
if [ "$changed" = no ] && in_force; then
  keep_sum
  echo reloaded=no
  exit 0
fi
prove_and_reload
tries=0
until in_force; do
  [ "$tries" -lt 50 ] ||
    fail 64 "the router was reloaded and does not answer at $ADDRESS:$HTTP_PORT as $site says;" \
      "found: ${answer:-nothing}, wanted: $digest $(readlink "$route/current")." \
      "Does $CONFIG include $sites, and may the router's user read $route?"
  tries=$((tries + 1))
  sleep 0.1
done
keep_sum
echo reloaded=yes
"""

SWITCH = r"""
alone
need_up
not_older
[ -e "$site" ] || fail 64 "the router has no route of $INSTANCE; found: nothing, wanted: $site"
make_set
turn current "$made"
wanted
if ! cmp -s "$site" "$route/site"; then
  cp "$route/site" "$site.new"
  mv -f "$site.new" "$site"
fi
rm -f "$route/site"
apply
remove_old set
echo "upstreams=$(upstreams)"
"""

READ_BACK = r"""
need_up
[ -d "$route" ] || fail 64 "the router has no route of $INSTANCE; found: nothing, wanted: $route"
alone
wanted
trap 'rm -f "$route/site"' EXIT
now=$(upstreams)
echo "upstreams=$now"
[ "$now" = "$UPSTREAMS" ] ||
  fail 64 "the router passes requests to others;" \
    "found: ${now:-nobody}, wanted: ${UPSTREAMS:-nobody}"
! is_renewed ||
  fail 64 "the certificate or key is another than it was told, $CERTIFICATE or $KEY;" \
    "found: $(echo "$sum" | cut -c 1-16), wanted: $(echo "$told" | cut -c 1-16)"
cmp -s "$site" "$route/site" ||
  fail 64 "the file $site is not as it was written; found: $(cksum <"$site" 2>&1 || :)," \
    "wanted: $(cksum <"$route/site")"
in_force ||
  fail 64 "the router runs another configuration; found: ${answer:-nothing}," \
    "wanted: $digest $(readlink "$route/current")"
"""

CLOSE = r"""
alone
need_up
not_older
[ -e "$site" ] || fail 64 "the router has no route of $INSTANCE; found: nothing, wanted: $site"
notice=notice-$NOTICE
if [ ! -d "$route/$notice" ]; then
  rm -rf "$route/new"
  write_notice "$route/new/$RETRY_AFTER"
  mv "$route/new" "$route/$notice"
fi
touch "$route/$notice"
turn maintenance "$notice/$RETRY_AFTER"
apply
remove_old notice
"""

OPEN = r"""
alone
need_up
not_older
rm -f "$route/maintenance"
apply
"""

FORGET = r"""
if [ ! -d "$route" ] && [ ! -e "$site" ]; then
  echo "the router has no route of $INSTANCE"
  exit 0
fi
alone
need_up
drop "$site"
drop "$pem"
place_common
prove_and_reload
rm -rf "$route"
"""
