"""Where workers publish: both settings or none, and nothing in them that may be a secret."""

from pathlib import Path

import pytest

from app.settings import BadSetting, Settings

GOOD = {"assets_store": "s3://bucket/prefix", "assets_url": "https://static.example.org"}


def test_without_settings_there_is_no_place(monkeypatch):
    for name in ("LIFTLOCK_ASSETS_STORE", "LIFTLOCK_ASSETS_URL"):
        monkeypatch.delenv(name, raising=False)
    assert Settings().assets_place() is None


def test_an_empty_store_says_that_there_is_none():
    assert Settings(**{**GOOD, "assets_store": ""}).assets_place() is None


def test_the_url_of_a_place_ends_with_a_slash():
    assert Settings(**GOOD).assets_place() == ("s3://bucket/prefix", "https://static.example.org/")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"assets_url": None}, "Set LIFTLOCK_ASSETS_URL too"),
        ({"assets_store": None}, "Set LIFTLOCK_ASSETS_STORE too"),
        ({"assets_store": "/srv/assets"}, "LIFTLOCK_ASSETS_STORE wants s3://"),
        ({"assets_store": "s3://"}, "LIFTLOCK_ASSETS_STORE wants s3://"),
        ({"assets_store": "file://host/x"}, "LIFTLOCK_ASSETS_STORE wants s3://"),
        ({"assets_store": "s3://key:secret@bucket"}, "LIFTLOCK_ASSETS_STORE wants s3://"),
        ({"assets_url": "/static/"}, "LIFTLOCK_ASSETS_URL wants https://"),
        ({"assets_url": "https://a.example/?sig=secret"}, "LIFTLOCK_ASSETS_URL wants https://"),
        ({"assets_url": "https://a.example/#x"}, "LIFTLOCK_ASSETS_URL wants https://"),
        ({"assets_url": "https://a.example:port/"}, "LIFTLOCK_ASSETS_URL wants https://"),
    ],
)
def test_a_wrong_place_is_named_by_its_variable_and_shows_no_secret(monkeypatch, changes, wanted):
    for name in ("LIFTLOCK_ASSETS_STORE", "LIFTLOCK_ASSETS_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadSetting, match=wanted) as caught:
        Settings(**{**GOOD, **changes}).assets_place()
    assert "secret" not in str(caught.value)


def test_the_cache_is_below_the_folder_for_caches(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert Settings().assets_folder() == Path("/var/cache/liftlock/assets")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Settings().assets_folder() == Path.home() / ".cache/liftlock/assets"


def test_a_relative_cache_is_refused():
    with pytest.raises(BadSetting, match="LIFTLOCK_ASSETS_CACHE wants an absolute path"):
        Settings(assets_cache="cache").assets_folder()
