"""nginx: it resolves a link for each request, and the link's end is the app server's address."""

from collections.abc import Mapping

from app.domain.router import Route, RouterKind, TlsMode
from worker.routers.dialect import DIGEST, PATH, ROUTE, SLOTS, UNTOLD, Dialect

_SHARED = """\
# Written by Liftlock; what its sites have in common.
split_clients "$request_id" $liftlock_slot {
@SPREAD@
}
map $realpath_root $liftlock_upstream {
  "~/(?<liftlock_address>[^/]+)$" $liftlock_address;
}
map $realpath_root $liftlock_set {
  "~/(?<liftlock_name>set-[^/]+)$" $liftlock_name;
}
map $realpath_root $liftlock_seconds {
  default 60;
  "~/(?<liftlock_after>[0-9]+)$" $liftlock_after;
}
map $http_upgrade $liftlock_connection {
  default upgrade;
  "" close;
}
map $http_accept $liftlock_page {
  default page.html;
  "~*text/html" page.html;
  "~*json" page.json;
}
"""

_FUNCTIONS = r"""
test_config() { $SUDO "$PROGRAM" -t -q -c "$CONFIG"; }
reload_now() { by_order $SUDO "$PROGRAM" -c "$CONFIG" -s reload; }
is_up() {
  file=$(peek "$CONFIG" |
    sed -n 's/^ *pid  *"\{0,1\}\([^";]*\).*/\1/p' | head -n 1)
  [ -n "$file" ] || file=$("$PROGRAM" -V 2>&1 | sed -n 's/.*--pid-path=\([^ ]*\).*/\1/p')
  process=$(peek "$file") && [ -n "$process" ] && [ -d "/proc/$process" ]
}
shared() { printf '%s' "$SHARED"; }
prepare() { :; }
fill() { cat; }
apply() { :; }
found() { ls -l "$route/current/" | sed -n 's|.* [0-9][0-9]* -> .*/||p'; }
"""

_KNOWN = """\
  location = {path} {{
    root "{route}/current";
    default_type text/plain;
    add_header Cache-Control no-store;
    return 200 "{digest} $liftlock_set";
  }}
"""

_SERVE = """\
  client_max_body_size 0;
  location ^~ {path}/closed/ {{
    internal;
    alias "{route}/$liftlock_closed/";
    types {{ text/html html; application/problem+json json; }}
    charset utf-8;
    add_header Retry-After $liftlock_seconds always;
    add_header Cache-Control no-store always;
  }}
  location / {{
    root "{route}/current/$liftlock_slot";
    error_page 503 {path}/closed/$liftlock_page;
    set $liftlock_closed "";
    if (-d "{route}/current/closed") {{ set $liftlock_closed current/closed; }}
    if (-d "{route}/maintenance") {{ set $liftlock_closed maintenance; }}
    if ($liftlock_closed) {{ return 503; }}
    proxy_pass http://$liftlock_upstream;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $liftlock_connection;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
{untold}
    proxy_buffering off;
    proxy_buffer_size 32k;
    proxy_buffers 4 32k;
    proxy_intercept_errors off;
    proxy_next_upstream off;
    proxy_redirect off;
    proxy_connect_timeout 5s;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
  }}
"""


def _site(route: Route, options: Mapping[str, str | int]) -> str:
    known = _KNOWN.format(path=PATH, route=ROUTE, digest=DIGEST)
    untold = "\n".join(f'    proxy_set_header {name} "";' for name in UNTOLD)
    serve = _SERVE.format(path=PATH, route=ROUTE, untold=untold)
    if route.tls.mode is TlsMode.OFF:
        return _server(route, options, options["http_port"], "", known + serve)
    port = options["https_port"]
    place = "$host" if port == 443 else f"$host:{port}"  # noqa: PLR2004 - the port of HTTPS
    away = f"  location / {{ return 308 https://{place}$request_uri; }}\n"
    tls = f'  ssl_certificate "{route.tls.certificate}";\n'
    tls += f'  ssl_certificate_key "{route.tls.key}";\n'
    plain = _server(route, options, options["http_port"], "", known + away)
    return plain + _server(route, options, port, " ssl", tls + known + serve)


def _server(
    route: Route, options: Mapping[str, str | int], port: str | int, ssl: str, text: str
) -> str:
    default = "" if route.domain else " default_server"
    bind = str(options["bind"])
    at = f"[{bind}]" if ":" in bind else bind
    places = [f"{at}:{port}"] if bind else [str(port), f"[::]:{port}"]
    listen = "".join(f"  listen {place}{ssl}{default};\n" for place in places)
    name = f"  server_name {route.domain.lower() or '_'};\n"
    # What it remembers of files would be what it remembers of links.
    return f"server {{\n{listen}{name}  open_file_cache off;\n{text}}}\n"


def _spread() -> str:
    share = f"{100 / SLOTS:.2f}%"
    slots = [f"  {share} {slot};" for slot in range(1, SLOTS)]
    return "\n".join([*slots, f"  * {SLOTS};"])


_COMMON = _SHARED.replace("@SPREAD@", _spread())
DIALECT = Dialect(RouterKind.NGINX, "conf", _COMMON, _site, _FUNCTIONS)
