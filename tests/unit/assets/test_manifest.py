"""Manifests as they come from elsewhere: nothing in them is believed."""

import json

import pytest

from worker.assets.manifest import Asset, BadManifest, Copy, Manifest, read

SHA = "0" * 64
NAME = "css/a.0123456789ab.css"


def told(**changes):
    """The text of a manifest with one file that is changed so."""
    asset = {"name": NAME, "size": 1, "sha256": SHA, "copies": {}, **changes}
    return document({"a.css": asset})


def document(files):
    return json.dumps({"version": 1, "hash": "x", "files": files}).encode()


def test_what_is_written_is_read_again():
    copies = {"gzip": Copy(5, SHA), "br": Copy(0, SHA)}
    odd = "a b/\N{LATIN SMALL LETTER U WITH DIAERESIS}..0123456789ab.css"
    manifest = Manifest({"a.css": Asset(NAME, 9, SHA, copies), "b.css": Asset(odd, 0, SHA)})
    assert read(manifest.as_json()) == manifest


@pytest.mark.parametrize(
    "name",
    [
        5,
        None,
        ["a"],
        "",
        "x.css",
        "../../etc/passwd",
        "../x.0123456789ab.css",
        "a/../x.0123456789ab.css",
        "./x.0123456789ab.css",
        "/x.0123456789ab.css",
        "a//x.0123456789ab.css",
        "a/x.0123456789ab.css/",
        "_releases/x.0123456789ab.css",
        "x\0.0123456789ab.css",
        "x.0123456789ab.\ud800",
    ],
)
def test_a_name_that_no_build_gives_is_refused(name):
    with pytest.raises(BadManifest):
        read(told(name=name))


@pytest.mark.parametrize("path", ["a\ud800.css", "a\0.css"])
def test_a_path_that_cannot_be_is_refused(path):
    with pytest.raises(BadManifest):
        read(document({path: {"name": NAME, "size": 1, "sha256": SHA, "copies": {}}}))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "1"},
        {"size": -1},
        {"size": True},
        {"size": 1e999},
        {"sha256": None},
        {"sha256": "no digest"},
        {"copies": None},
        {"copies": {"lzma": {"size": 1, "sha256": SHA}}},
        {"copies": {"gzip": {"size": None, "sha256": SHA}}},
        {"copies": {"gzip": 5}},
    ],
)
def test_a_value_of_another_type_is_refused(changes):
    with pytest.raises(BadManifest):
        read(told(**changes))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, document([]), document({"a": 1})],
)
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(BadManifest):
        read(text)


def test_another_version_says_which_one_is_read():
    with pytest.raises(BadManifest, match="this program reads 1"):
        read(b'{"version": 2}')
