"""The Caddy of `liftlock up`: which files it serves, and with which headers."""

import subprocess

import httpx
import pytest

from local import binaries, ports
from local.caddy import AssetServer
from tests.support.servers import wait_until

FOREVER = "public, max-age=31536000, immutable"
FILES = {
    "shop/css/site.0123456789ab.css": b"a{}",
    "shop/css/site.0123456789ab.css.br": b"brotli",
    "shop/css/site.0123456789ab.css.gz": b"gzip",
    "shop/LICENSE.0123456789ab": b"free",
    "shop/fonts/a.0123456789ab.woff2": b"font",
    "shop/plain.css": b"b{}",
    "shop/_releases/v1-1/assets.0123456789ab.json": b"{}",
    "shop/.hidden.0123456789ab.css": b"h{}",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a server with FILES, below a folder whose name needs care.

    It is hidden as well, as the data of `liftlock up` is by default.
    """
    home = tmp_path_factory.mktemp("caddy") / '.it\'s "odd"'
    for name, content in FILES.items():
        path = home / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    port, mark = ports.claim_first("127.0.0.1", 8900)
    server = AssetServer(binaries.caddy(), home / "caddy", home / "assets", "127.0.0.1", port)
    server.directory.mkdir()
    server.write_config()
    log = home / "log"
    with mark, log.open("wb") as output:
        caddy = subprocess.Popen(
            server.argv(), env={"HOME": str(server.directory)}, stderr=output, stdout=output
        )
        wait_until(server.answers, "Caddy", log=log)
        yield server.url
        caddy.terminate()
        assert caddy.wait(20) == 0, log.read_text()


def ask(site, path, accept="identity"):
    return httpx.get(f"{site}{path}", headers={"Accept-Encoding": accept}, trust_env=False)


@pytest.mark.parametrize("name", ["shop/css/site.0123456789ab.css", "shop/LICENSE.0123456789ab"])
def test_a_file_with_its_hash_in_its_name_never_changes(site, name):
    answer = ask(site, name)
    assert answer.content == FILES[name]
    assert answer.headers["Cache-Control"] == FOREVER


@pytest.mark.parametrize("name", ["shop/plain.css", "shop/_releases/v1-1/assets.0123456789ab.json"])
def test_any_other_file_is_asked_for_again(site, name):
    answer = ask(site, name)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_missing_file_is_never_kept(site):
    answer = ask(site, "shop/css/gone.0123456789ab.css")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["shop/.hidden.0123456789ab.css", "shop/css/", "shop", "../caddy", ".git/HEAD"]
)
def test_hidden_files_and_folders_are_not_shown(site, path):
    assert ask(site, path).status_code == 404


def test_the_compressed_copy_is_served_when_the_browser_takes_it(site):
    with httpx.stream(
        "GET",
        f"{site}shop/css/site.0123456789ab.css",
        headers={"Accept-Encoding": "gzip, br"},
        trust_env=False,
    ) as answer:
        assert b"".join(answer.iter_raw()) == b"brotli"
    assert answer.headers["Content-Encoding"] == "br"
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_pages_of_other_origins_may_use_fonts(site):
    answer = ask(site, "shop/fonts/a.0123456789ab.woff2")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"] == "font/woff2"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
