"""URLs of stores, what errors of a store say, tries and headers."""

import asyncio

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from worker.assets.manifest import Asset, Copy, Manifest, is_hashed
from worker.assets.problem import AssetError
from worker.assets.publishing import headers
from worker.assets.publishing.fault import Damaged, fault_of
from worker.assets.publishing.published import check_revision, objects_of
from worker.assets.publishing.retrying import attempt
from worker.assets.publishing.store import open_store
from worker.assets.store_url import base_url_problem, read_store_url

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        f"s3://key:{SECRET}@bucket/prefix",
        f"s3://bucket/prefix?signature={SECRET}",
        f"s3://bucket/prefix#{SECRET}",
        "http://bucket/prefix",
        "s3:///prefix",
        "file://elsewhere/folder",
        "bucket/prefix",
        "s3://bucket:port/",
        f"s3:key:{SECRET}@bucket",
    ],
)
def test_a_url_that_is_no_store_is_refused_without_repeating_a_secret(url):
    with pytest.raises(AssetError) as refused:
        read_store_url(url, {})
    assert refused.value.problems[0].code == "bad-store-url"
    assert SECRET not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://cdn.example/static/", None),
        ("/static/", None),
        ("http://localhost:8000/", None),
        ("//cdn.example/static/", "one /"),
        ("/\\cdn.example/static/", "one /"),
        ("/\t/cdn.example/", "control character"),
        ("static/", "one /"),
        ("javascript:/", "one /"),
        ("https:///static/", "a host"),
        ("https://cdn.example/?X-Amz-Signature=1", "query"),
        ("https://cdn.example/?", "query"),
        ("https://me:pw@cdn.example/", "password"),
        ("https://cdn.example/#x", "fragment"),
        ("https://[cdn/", "no URL"),
        (f"https://me:{SECRET}/x@cdn.example/", "no URL"),
    ],
)
def test_a_signing_base_url_is_refused(url, problem):
    found = base_url_problem(url)
    assert found is None if problem is None else problem in found
    assert SECRET not in str(found)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]"])
def test_an_endpoint_of_this_machine_needs_no_tls(endpoint):
    place = read_store_url("s3://bucket/a", {"AWS_ENDPOINT_URL": endpoint})
    assert place.config["endpoint"] == endpoint
    assert place.options["client_options"]["allow_http"] is True


def test_an_endpoint_elsewhere_needs_tls_unless_the_user_says_otherwise():
    environment = {"AWS_ENDPOINT_URL": "http://192.0.2.1"}
    with pytest.raises(AssetError) as refused:
        read_store_url("s3://bucket/a", environment)
    assert "AWS_ALLOW_HTTP" in refused.value.hint
    assert read_store_url("s3://bucket/a", {**environment, "AWS_ALLOW_HTTP": "true"}).config


def test_an_endpoint_with_a_password_is_refused_without_repeating_it():
    with pytest.raises(AssetError) as refused:
        read_store_url("s3://bucket/a", {"AWS_ENDPOINT_URL": f"https://me:{SECRET}@s3.example"})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("endpoint", ["nonsense", "s3.example:9000", "https://", "http://a b"])
def test_an_endpoint_is_a_url_of_a_server(endpoint):
    with pytest.raises(AssetError) as refused:
        read_store_url("s3://bucket/a", {"AWS_ENDPOINT_URL": endpoint})
    assert "AWS_ENDPOINT_URL" in str(refused.value)
    assert "https://s3.example" in refused.value.hint


def test_an_endpoint_elsewhere_needs_tls_however_it_is_spelled():
    with pytest.raises(AssetError):
        read_store_url("s3://bucket/a", {"AWS_ENDPOINT_URL": "HTTP://192.0.2.1"})


async def test_an_endpoint_of_which_no_request_can_be_made_is_told_so(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://256.1.1.1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    store = open_store("s3://bucket/a")
    with pytest.raises(AssetError) as refused:
        await store.list()
    assert "AWS_ENDPOINT_URL" in refused.value.hint


def test_tries_are_not_multiplied_by_those_of_the_library():
    place = read_store_url("s3://bucket/a", {})
    assert place.options["retry_config"]["max_retries"] == 0


def test_a_folder_that_is_only_read_is_not_made(tmp_path):
    with pytest.raises(AssetError):
        open_store((tmp_path / "mistyped").as_uri(), make=False)
    assert not (tmp_path / "mistyped").exists()


def answered(status, code):
    return (
        f"Error performing PUT https://s3.example/b/k in 2ms - Server returned non-2xx status "
        f"code: {status} Some Words: <Error><Code>{code}</Code><Message>Why.</Message></Error>"
        '\n\nDebug source:\nGeneric { headers: "x" }'
    )


@pytest.mark.parametrize(
    ("error", "problem", "passes"),
    [
        (GenericError(answered(503, "SlowDown")), "store-failed", True),
        (GenericError(answered(500, "InternalError")), "store-failed", True),
        (GenericError(answered(429, "TooManyRequests")), "store-failed", True),
        (GenericError(answered(400, "BadDigest")), "store-failed", True),
        (GenericError(answered(400, "RequestTimeout")), "store-failed", True),
        (GenericError(answered(409, "OperationAborted")), "store-failed", True),
        (GenericError(answered(400, "EntityTooLarge")), "store-refused", False),
        (GenericError(answered(501, "NotImplemented")), "store-unconditional", False),
        (GenericError(answered(301, "PermanentRedirect")), "store-region", False),
        (PermissionDeniedError(answered(403, "AccessDenied")), "store-denied", False),
        (PermissionDeniedError(answered(403, "ExpiredToken")), "store-credentials", False),
        (FileNotFoundError(answered(404, "NoSuchBucket")), "store-missing", False),
        (GenericError("Error - HTTP error: error sending request"), "store-unreachable", True),
        (GenericError("Got invalid list response: ill-formed"), "store-not-s3", False),
        (GenericError("Unable to copy: No space left (os error 28)"), "store-folder", False),
        (GenericError("Generic LocalFileSystem error: loop found"), "store-folder", False),
        (GenericError("PUT http://169.254.169.254/ - HTTP error"), "store-credentials", False),
        (Damaged("other bytes"), "store-failed", True),
    ],
)
def test_what_a_store_answers_is_told_apart(error, problem, passes):
    fault = fault_of(error)
    assert (fault.problem, fault.is_passing) == (problem, passes)
    assert fault.hint
    assert "Debug" not in fault.said


def test_an_object_that_is_not_there_is_an_answer():
    assert fault_of(FileNotFoundError(answered(404, "NoSuchKey"))) is None


async def test_a_call_is_tried_exactly_five_times():
    calls = []

    async def call():
        calls.append(1)
        raise GenericError(answered(503, "SlowDown"))

    with pytest.raises(AssetError) as refused:
        await attempt(call, deed="Putting s3://b/k", key="k", pause=0.0)
    assert len(calls) == 5
    assert str(refused.value) == ("Putting s3://b/k failed (tried 5 times): 503 SlowDown: Why.")


async def test_the_pauses_between_tries_grow(monkeypatch):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    async def call():
        raise Damaged("always")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(AssetError):
        await attempt(call, deed="Putting", key="k", pause=1.0)
    assert [low <= pause <= 3 * low for pause, low in zip(pauses, [0.5, 1, 2, 4], strict=True)]
    assert len(set(pauses)) == 4


@pytest.mark.parametrize("revision", ["8f2b6c93d1a4-3", "1.4.2", "v2_beta"])
def test_revisions_are_commits_and_versions(revision):
    check_revision(revision)


@pytest.mark.parametrize("revision", ["", "..", ".hidden", "a/b", "a b", "gc.json", "x" * 121])
def test_a_revision_that_is_no_name_is_refused(revision):
    with pytest.raises(AssetError):
        check_revision(revision)


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("css/site.0123456789ab.css", True),
        ("LICENSE.0123456789ab", True),
        ("a.tar.0123456789ab.gz", True),
        ("css/site.0123456789ab.css.br", True),
        ("css/site.css", False),
        ("0123456789ab/site.css", False),
        ("_releases/x.0123456789ab.json", False),
    ],
)
def test_hashed_names_are_known_from_others(key, is_one):
    assert is_hashed(key) is is_one


def test_copies_are_objects_of_their_own():
    asset = Asset("x.0123456789ab.css", 9, "0", {"gzip": Copy(5, "1"), "br": Copy(4, "2")})
    found = objects_of(Manifest({"x.css": asset}))
    assert {key: stored.coding for key, stored in found.items()} == {
        "x.0123456789ab.css": None,
        "x.0123456789ab.css.gz": "gzip",
        "x.0123456789ab.css.br": "br",
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.js.map", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.avif", "image/avif"),
        ("LICENSE", "application/octet-stream"),
    ],
)
def test_types_do_not_depend_on_the_machine(name, told):
    assert headers.content_type(name) == told
