import pytest
from pydantic import TypeAdapter, ValidationError

from app.domain.naming import Address, Name, Revision, is_address


def refused(kind, text):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["a", "0", "web-1", "a" * 63])
def test_a_plain_name_is_a_name(text):
    assert TypeAdapter(Name).validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "-a",
        "a-",
        "a_b",
        "a.b",
        "a" * 64,
        "a\n",
        "\u00e4",
        "0" * 32,
        "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    ],
)
def test_what_could_be_an_id_an_option_or_a_path_is_no_name(text):
    refused(Name, text)


@pytest.mark.parametrize(
    "text", ["localhost", "web_1.example.org", "127.0.0.1", "::1", "2001:db8::"]
)
def test_host_names_and_ip_addresses_are_addresses(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["", "-o", "a b", "a/b", "a;b", ".a", "a..b", "a.", "fe80::1%eth0", "a" * 64, "x\n"]
)
def test_what_ssh_could_take_for_something_else_is_no_address(text):
    refused(Address, text)


@pytest.mark.parametrize("text", ["v1", "feature/x", "1.6", "1f3c5d7e", "1!2.0+local.1", "\u00e4"])
def test_branches_tags_commits_and_versions_are_revisions(text):
    assert TypeAdapter(Revision).validate_python(text) == text


@pytest.mark.parametrize("text", ["", "-x", "--help", "a b", "a\tb", "a\x00b", "a\x1bb", "x" * 201])
def test_what_git_could_take_for_an_option_is_no_revision(text):
    refused(Revision, text)


@pytest.mark.parametrize(
    "text",
    [
        *("HEAD^", "a..b", "HEAD~1", "a:b", "v1@{1}", "v?", "v*", "v[1]", "a\\b"),
        *("/a", "a/", "a//b", "a/.b", ".a", "a.", "a.lock", "@"),
    ],
)
def test_what_git_allows_in_no_name_is_no_revision(text):
    refused(Revision, text)
