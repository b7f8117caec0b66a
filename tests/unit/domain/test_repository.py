import pytest

from app.domain.repository import check_repository


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example.org/shop.git",
        "http://git.example.org:8080/team/shop",
        "ssh://git@git.example.org:2222/shop.git",
        "ssh://git.example.org/shop.git",
        "git@git.example.org:team/shop.git",
        "file:///srv/git/shop.git",
        "file://localhost/srv/git/shop.git",
        "/srv/git/shop.git",
        "https://[2001:db8::1]/shop.git",
        "pypi:Trac",
        "pypi:zope.interface",
    ],
)
def test_the_usual_forms_are_accepted(text):
    assert check_repository(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "./shop",
        "../shop",
        "-x",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "ext::sh",
        "fd::1",
        "git://git.example.org/shop.git",
        "ftp://git.example.org/shop.git",
        "javascript://x/y",
        "https://",
        "https:///shop.git",
        "https://git.example.org",
        "https://git.example.org/",
        "https://-x/shop.git",
        "https://git.example.org:0/shop.git",
        "https://git.example.org:99999/shop.git",
        "https://git.example.org/shop.git?token=x",
        "https://git.example.org/shop.git#x",
        "https://[::1/shop.git",
        "ssh://-oProxyCommand=x/shop.git",
        "ssh://-l@git.example.org/shop.git",
        "git@-oProxyCommand=x:shop.git",
        "-git@git.example.org:shop.git",
        "git@git.example.org:-shop",
        "git@git.example.org:",
        "file://elsewhere/srv/git",
        "file:relative",
        "pypi:",
        "pypi:-e",
        "pypi:Trac==1.6",
        "pypi:Trac @ https://x",
        "https://git.example.org/a b.git",
        "/srv/\x00",
        "/srv/\n",
    ],
)
def test_what_git_or_pip_could_take_for_something_else_is_refused(text):
    with pytest.raises(ValueError):
        check_repository(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://hunter2@git.example.org/shop.git",
        "https://me:hunter2@git.example.org/shop.git",
        "ssh://git:hunter2@git.example.org/shop.git",
    ],
)
def test_credentials_are_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match="DEPLOY_KEY") as refused:
        check_repository(text)
    assert "hunter2" not in str(refused.value)
