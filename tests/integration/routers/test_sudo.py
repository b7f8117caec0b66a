"""Routers of a host with `sudo`: what goes by way of it, and what is said when it does not."""

import asyncio
from pathlib import Path

import pytest

from app.domain.router import RouterKind
from tests.integration.routers.test_tls import make_certificate
from tests.support.router_load import KeepAlive
from worker.routers import router_of

NGINX, HAPROXY = (
    pytest.param(kind, marks=pytest.mark.routers) for kind in (RouterKind.NGINX, RouterKind.HAPROXY)
)
ONLY = {
    kind: pytest.mark.parametrize("kind", [param], indirect=True)
    for kind, param in (("nginx", NGINX), ("haproxy", HAPROXY), ("caddy", RouterKind.CADDY))
}

#: Writes down what it runs: a line, each word in brackets.
RECORDING = """
[ "$1" = -n ] || exit 9
shift
printf '<%s>' "$@" | tr '\\n' ' ' >>"$RECORD"
echo >>"$RECORD"
exec "$@"
"""
REFUSING = """
echo "sudo: a password is required" >&2
exit 1
"""
#: `cat` as somebody who may not read a key, while it prints what it may.
KEYS_ARE_NOT_MINE = """
[ -z "${BY_SUDO:-}" ] || exec /bin/cat "$@"
case $* in
  *.key*) /bin/cat "$1"; echo "cat: permission denied" >&2; exit 1 ;;
esac
exec /bin/cat "$@"
"""
AS_ROOT = """
shift
export BY_SUDO=1
exec "$@"
"""
#: What docs/routers.md asks for.
FOR_NGINX_ALONE = """
case $2 in */nginx) shift; exec "$@" ;; esac
exit 1
"""


@pytest.fixture
def with_sudo(router, instead):
    """From now on the router is told by way of a `sudo` that does this."""

    def make(text):
        # Reloaded in its own way, not in that of the tests.
        options = dict(router.options)
        reload = options.pop("reload", "exit 9")
        instead("sudo", text)
        instead("systemctl", f'[ "$*" = "reload haproxy" ] || exit 9\n{reload}')
        router.router = router_of(router.kind, options, sudo=True)
        return router

    return make


@pytest.fixture
def recorded(with_sudo, route, site, other, tmp_path):
    """A router, and what its `sudo` has run after it was told everything; each line once."""
    record = tmp_path / "record"
    record.touch()
    router = with_sudo(RECORDING)
    router.env["RECORD"] = str(record)
    tell, later = router.router, route(other, version=2)
    for command in (
        tell.find(),
        tell.configure(route(site)),
        tell.switch(later),
        tell.read_back(later),
        tell.close(later, message="Bye", retry_after=5),
        tell.open(later),
        tell.forget("guest"),
    ):
        router.done(command)
    return router, sorted(set(record.read_text().splitlines()))


@ONLY["nginx"]
def test_nginx_is_tested_and_reloaded_by_way_of_it_and_nothing_else(recorded):
    router, lines = recorded
    assert lines == [
        f"<{router.program}><-c><{router.config}><-s><reload>",
        f"<{router.program}><-t><-q><-c><{router.config}>",
    ]


@ONLY["haproxy"]
def test_haproxy_is_tested_reloaded_and_asked_by_way_of_it(recorded):
    router, lines = recorded
    tested, asked, reloaded = lines
    assert tested == f"<{router.program}><-c><-f><{router.config}><-f><{router.sites}>"
    assert asked.startswith("<perl><-MIO::Socket::IP>")
    assert asked.endswith(f"<{router.folder}/admin.sock>")
    assert reloaded == "<systemctl><reload><haproxy>"


@ONLY["haproxy"]
async def test_a_key_that_is_readable_by_way_of_it_alone_follows_its_certificate_once(
    router, with_sudo, instead, route, site
):
    tls = make_certificate(router.folder, "one")
    instead("cat", KEYS_ARE_NOT_MINE)
    await asyncio.to_thread(with_sudo(AS_ROOT).bring, route(site, tls=tls))
    placed = router.site("guest").parents[1] / "certs/guest.pem"
    assert placed.read_bytes() == b"".join(
        Path(name).read_bytes() for name in (tls.certificate, tls.key)
    )
    assert placed.stat().st_mode & 0o777 == 0o600


@ONLY["caddy"]
def test_caddy_needs_none(recorded):
    assert recorded[1] == []


@ONLY["nginx"]
async def test_nginx_needs_it_for_its_own_program_alone(with_sudo, route, site):
    router = with_sudo(FOR_NGINX_ALONE)
    router.done(router.router.find())
    await asyncio.to_thread(router.bring, route(site))
    assert (await KeepAlive(router.http).get()).body == "a"


@pytest.mark.parametrize("kind", [NGINX, HAPROXY], indirect=True)
async def test_a_sudo_that_wants_a_password_is_told_and_nothing_is_changed(
    router, with_sudo, route, site, other
):
    await asyncio.to_thread(router.bring, route(site))
    kept = router.site("guest").read_text()
    with_sudo(REFUSING)
    ran = router.run(router.router.configure(route(other, version=2, domain="new.example")))
    assert ran.exit_code != 0
    assert "a password is required" in ran.output
    assert router.site("guest").read_text() == kept
    assert (await KeepAlive(router.http).get()).body == "a"
