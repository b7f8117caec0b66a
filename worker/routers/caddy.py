"""Caddy: it reads the address of an app server from a file for each request."""

from collections.abc import Iterator, Mapping

from app.domain.router import Route, RouterKind, TlsMode
from worker.routers.dialect import COME_AGAIN, DIGEST, PATH, ROUTE, SLOTS, UNTOLD, Dialect

_FUNCTIONS = r"""
# Only read here: `caddy validate` would ask for certificates. `reload` refuses what cannot be
# loaded, and goes on with what it had.
test_config() { "$PROGRAM" adapt --config "$CONFIG" --adapter caddyfile >/dev/null; }
reload_now() {
  by_order "$PROGRAM" reload --config "$CONFIG" --adapter caddyfile --address "$ADMIN"
}
is_up() {
  printf 'GET /config/admin HTTP/1.0\r\nHost: %s\r\n\r\n' "${ADMIN##*/}" |
    talk "${ADMIN#unix/}" 2>/dev/null | grep -q '^HTTP/'
}
shared() { :; }
prepare() { :; }
fill() { cat; }
apply() { :; }
found() {
  for slot in "$route"/current/[0-9]*/address; do
    address=
    read -r address 2>/dev/null <"$slot" || [ -z "$address" ] || echo "$address"
  done
}
"""

_SITE = """\
\thandle {path} {{
\t\theader Cache-Control no-store
\t\trespond "{digest} {{file.{route}/current/name}}"
\t}}
{closed}\
\thandle {{
\t\treverse_proxy {{
{upstreams}
\t\t\tlb_policy round_robin
\t\t\theader_up X-Real-IP {{client_ip}}
{untold}
{hold}\
\t\t\ttransport http {{
\t\t\t\tkeepalive off
\t\t\t\tcompression off
\t\t\t}}
\t\t}}
\t}}
"""

_CLOSED = """\
\t@{name} file {{
\t\troot "{folder}"
\t\ttry_files /page.html
\t}}
\thandle @{name} {{
\t\theader Cache-Control no-store
\t\theader Retry-After "{{file.{folder}/retry-after}}"
\t\t@{name}-json {{
\t\t\theader Accept *json*
\t\t\tnot header Accept *text/html*
\t\t}}
\t\thandle @{name}-json {{
\t\t\theader Content-Type application/problem+json
\t\t\trespond "{{file.{folder}/page.json}}" 503
\t\t}}
\t\thandle {{
\t\t\theader Content-Type "text/html; charset=utf-8"
\t\t\trespond "{{file.{folder}/page.html}}" 503
\t\t}}
\t}}
"""


#: Who was held in vain is told to come again.
_IN_VAIN = """\
\thandle_errors 502 503 504 {{
\t\theader Cache-Control no-store
\t\theader Retry-After {seconds}
\t\trespond "{{err.status_text}}" {{err.status_code}}
\t}}
"""

#: Nobody asks for a certificate of a name with a last dot: browsers leave it out, and Caddy gets
#: none. Without an issuer of its own it would refuse the whole configuration.
_DOTTED = """\
\ttls {
\t\tissuer acme
\t}
"""


def _site(route: Route, options: Mapping[str, str | int]) -> str:
    # A last dot makes no other name.
    names = [route.domain.lower(), f"{route.domain.lower()}."] if route.domain else [""]
    plain = ", ".join(f"http://{name}:{options['http_port']}" for name in names)
    if route.tls.mode is TlsMode.OFF:
        return _block(plain, options, _serve(route))
    port = options["https_port"]
    elsewhere = "{host}" if port == 443 else f"{{host}}:{port}"  # noqa: PLR2004 - of HTTPS
    known = f'\thandle {PATH} {{\n\t\trespond "{DIGEST} {{file.{ROUTE}/current/name}}"\n\t}}\n'
    away = f"{known}\thandle {{\n\t\tredir https://{elsewhere}{{uri}} 308\n\t}}\n"
    snippet = f"liftlock-{route.instance}"
    secure = "".join(
        _block(f"https://{name}:{port}", options, f"{tls}\timport {snippet}\n")
        for name, tls in zip(names, (_tls(route), _DOTTED), strict=False)
    )
    return f"({snippet}) {{\n{_serve(route)}}}\n{_block(plain, options, away)}{secure}"


def _block(name: str, options: Mapping[str, str | int], text: str) -> str:
    bind = f"\tbind {options['bind']}\n" if options["bind"] else ""
    return f"{name} {{\n{bind}{text}}}\n"


def _tls(route: Route) -> str:
    if route.tls.mode is TlsMode.FILES:
        return f'\ttls "{route.tls.certificate}" "{route.tls.key}"\n'
    return "\ttls internal\n" if route.tls.mode is TlsMode.INTERNAL else ""


def _serve(route: Route) -> str:
    hold = f"\t\t\tlb_try_duration {int(route.hold * 1000)}ms\n" if route.hold else ""
    vain = _IN_VAIN.format(seconds=COME_AGAIN) if route.hold else ""
    closed = _closed("closed", "maintenance") + _closed("nobody", "current/closed")
    return vain + _SITE.format(
        path=PATH,
        digest=DIGEST,
        route=ROUTE,
        closed=closed,
        upstreams="\n".join(_upstreams()),
        untold="\n".join(f"\t\t\theader_up -{name}" for name in UNTOLD),
        hold=hold,
    )


def _closed(name: str, folder: str) -> str:
    return _CLOSED.format(name=name, folder=f"{ROUTE}/{folder}")


def _upstreams() -> Iterator[str]:
    # With `tcp/` in front, Caddy adds no port of its own to the placeholder.
    for slot in range(1, SLOTS + 1):
        yield f'\t\t\tto "tcp/{{file.{ROUTE}/current/{slot}/address}}"'


DIALECT = Dialect(RouterKind.CADDY, "caddy", "", _site, _FUNCTIONS)
