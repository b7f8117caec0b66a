"""Publishing against real folders and a real S3 server."""

import secrets

import pytest

from tests.support.built_folders import write_built
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_store import BUCKET, unhurried
from worker.assets.publishing.store import PART, open_store

FILES = {
    "css/site.css": b"body { color: red }\n",
    "js/app.mjs": b"export default 1;\n",
    "img/logo.svg": b"<svg/>",
    "fonts/a b.woff2": bytes(range(256)) * 8,
    "img/\N{LATIN SMALL LETTER U WITH DIAERESIS}.webp": b"RIFF",
    "wasm/large.wasm": bytes(range(256)) * (PART // 256) + b"the second part",
}


@pytest.fixture
def built(tmp_path):
    write_built(tmp_path / "built", FILES, copies=True)
    return tmp_path / "built"


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return unhurried(open_store((tmp_path / "store").as_uri()))
    return request.getfixturevalue("s3_store")


@pytest.fixture
def proxy(s3_environment, monkeypatch):
    """Before the S3 server; set its rule to make it fail."""
    with FaultyProxy(s3_environment.endpoint).running() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture
def through_proxy(proxy):
    """An empty place, reached through the proxy."""
    return unhurried(open_store(f"s3://{BUCKET}/{secrets.token_hex(6)}"))
