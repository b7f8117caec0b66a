"""What a caller may say about an extension."""

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from app.domain.extension_spec import ExtensionSpec
from app.domain.job import EXTENDING, JobKind

DIGEST = "ab" * 32
URL = "https://files.example/tags-1.0.zip"
OTHERS = sorted(EXTENDING - {JobKind.INSTALL})


def refused(**fields: object) -> str:
    with pytest.raises(ValidationError) as caught:
        ExtensionSpec.model_validate({"package": "tags", "version": "1.0", **fields})
    return str(caught.value)


def test_a_package_is_known_by_its_normalized_name_however_it_is_written():
    spec = ExtensionSpec(package="Django_Taggit", version="1.0", requires=("A.b", "a-B", "c"))
    assert (spec.name, spec.required_names) == ("django-taggit", ("a-b", "c"))


@pytest.mark.parametrize(
    "name", ["", "-a", "a b", "tags[extra]", "../tags", "a;b", "a\n", "a" * 101]
)
def test_what_is_no_name_of_a_package_is_refused(name):
    assert "package" in refused(package=name)


@pytest.mark.parametrize("version", ["", ">=1.0", "1.*", "1.0 ", "-1", "1;x", "1\n2"])
def test_a_version_is_one_exact_version(version):
    assert "version" in refused(version=version)


@pytest.mark.parametrize("version", ["1.0", "1!2.0", "1.0rc1", "1.0+local.7", "2026.1.post1"])
def test_every_form_of_a_version_is_taken(version):
    assert ExtensionSpec(package="tags", version=version).version == version


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example/a.zip",
        "https://files.example",
        "https://user:secret-word@files.example/a.zip",
        "https://files.example/a b.zip",
        "https://files.example/a.zip#sha256=ab",
        "https://files.example:99999/a.zip",
        "https:///a.zip",
        "file:///etc/passwd",
        f"https://files.example/{'a' * 2_000}",
    ],
)
def test_an_archive_is_fetched_by_https_from_a_plain_address(url):
    assert "url" in refused(url=url, sha256=DIGEST)


def test_an_archive_needs_its_digest():
    assert "needs its digest" in refused(url=URL)
    assert ExtensionSpec(package="tags", version="1.0", url=URL, sha256=DIGEST).url == URL


@pytest.mark.parametrize("digest", ["ab", "AB" * 32, "g" * 64])
def test_a_digest_is_written_in_one_way(digest):
    assert "sha256" in refused(sha256=digest)


def test_nothing_requires_itself():
    assert "cannot require itself" in refused(requires=["Tags"])


def test_an_unknown_field_is_refused():
    assert "extra" in refused(extras=["x"])


def test_an_installation_needs_a_version():
    with pytest.raises(PydanticCustomError, match="exact version"):
        ExtensionSpec(package="tags").refuse_for(JobKind.INSTALL)
    ExtensionSpec(package="tags", version="1.0", settings={"A": 1}).refuse_for(JobKind.INSTALL)


@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_job_is_told_the_package_alone(kind):
    ExtensionSpec(package="tags").refuse_for(kind)
    with pytest.raises(PydanticCustomError, match=f"to {kind} name the package alone"):
        ExtensionSpec(package="tags", version="1.0").refuse_for(kind)
