"""HAProxy: its control socket takes the addresses of app servers; its files keep them."""

from collections.abc import Mapping

from app.domain.router import Route, RouterKind, TlsMode
from worker.routers.dialect import DIGEST, PATH, ROUTE, UNTOLD, Dialect
from worker.routers.haproxy_script import FUNCTIONS

_SHARED = """\
# Written by Liftlock; the names of its sites, and where each goes.
frontend liftlock
  mode http
  timeout client 1h
  timeout http-request 30s
  timeout http-keep-alive 75s
  option idle-close-on-response
"""

_SITE = """\
backend {name}
  mode http
  balance roundrobin
  retries 0
  option http-server-close
  timeout connect 5s
  timeout queue 5s
  timeout server 1h
  timeout tunnel 1h
  http-request return status 200 content-type text/plain hdr Cache-Control no-store \
string "{digest} -" if {{ path {path} }}
{secure}\
  http-request set-var(txn.liftlock_after) str(retry-after),map("{route}/closed.map")
  http-request set-var(txn.liftlock_html) str(page.html),map("{route}/closed.map")
  http-request set-var(txn.liftlock_json) str(page.json),map("{route}/closed.map")
  acl closed var(txn.liftlock_after) -m found
  acl json req.fhdr(accept) -m sub -i json
  acl html req.fhdr(accept) -m sub -i text/html
  http-request return status 503 content-type application/problem+json {headers} \
lf-string "%[var(txn.liftlock_json),b64dec]" if closed json !html
  http-request return status 503 content-type "text/html; charset=utf-8" {headers} \
lf-string "%[var(txn.liftlock_html),b64dec]" if closed
{untold}
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  @SERVERS@
"""
#: App servers take `X_Forwarded_For` for `X-Forwarded-For`; the other routers drop such names too.
_UNDERSCORES = "_ -m sub"
_HEADERS = 'hdr Cache-Control no-store hdr Retry-After "%[var(txn.liftlock_after)]"'


def _site(route: Route, options: Mapping[str, str | int]) -> str:
    name = f"liftlock-{route.instance}"
    port = options["https_port"]
    secure = ""
    if route.tls.mode is not TlsMode.OFF:
        at = "" if port == 443 else f":{port}"  # noqa: PLR2004 - the port of HTTPS
        place = f"https://%[req.hdr(host),host_only]{at}%[pathq]"
        secure = f'  http-request redirect location "{place}" code 308 if !{{ ssl_fc }}\n'
    text = _SITE.format(
        name=name,
        digest=DIGEST,
        path=PATH,
        secure=secure,
        route=ROUTE,
        headers=_HEADERS,
        untold="\n".join(f"  http-request del-header {name}" for name in (*UNTOLD, _UNDERSCORES)),
    )
    return _rule(name, route.domain.lower()) + text


def _rule(name: str, domain: str) -> str:
    """What the frontend shall have for this site: gathered from all of them."""
    if not domain:
        return f"#: default_backend {name}\n"
    names = f"{domain} {domain}."  # a name's last dot is no part of it
    return f"#: use_backend {name} if {{ req.hdr(host),host_only,lower -m str {names} }}\n"


DIALECT = Dialect(RouterKind.HAPROXY, "cfg", _SHARED, _site, FUNCTIONS)
