"""Where an instance's code comes from: a git repository, or a package of the index."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field

from app.domain.naming import is_address

_FORMS = "give an https, http, ssh or file URL, user@host:path, an absolute path, or pypi:Package"
_CREDENTIALS = (
    "leave user names and passwords out of the address: set the secret DEPLOY_KEY and use an"
    " ssh address"
)
_PACKAGE = re.compile(r"pypi:[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_SCP = re.compile(r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})@(?P<host>[^:/@]+):(?P<path>[^-].*)")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


def check_repository(text: str) -> str:
    """The text itself; raises ValueError with a sentence that does not repeat it.

    The address may hold a password, so neither the sentence nor a log may show it.
    """
    if not text.isprintable() or " " in text:
        raise ValueError("an address has no spaces or control characters")
    if text.startswith("pypi:"):
        if not _PACKAGE.fullmatch(text):
            raise ValueError("after pypi: comes the name of one package; its version is `revision`")
    elif "://" in text:
        _check_url(text)
    elif not text.startswith("/"):
        _check_scp(text)
    return text


def _check_url(text: str) -> None:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(_FORMS) from None
    if url.password is not None or (url.scheme in {"http", "https"} and "@" in url.netloc):
        raise ValueError(_CREDENTIALS)
    if url.query or url.fragment:
        raise ValueError("an address has no ? and no #")
    if url.scheme == "file":
        fits = url.netloc in {"", "localhost"} and url.path.startswith("/")
    elif url.scheme in {"http", "https", "ssh"}:
        fits = _has_host(url) and port != 0
    else:
        fits = False
    if not fits:
        raise ValueError(_FORMS)


def _has_host(url: SplitResult) -> bool:
    user = url.username is None or _USER.fullmatch(url.username)
    return bool(user and url.hostname and is_address(url.hostname) and len(url.path) > 1)


def _check_scp(text: str) -> None:
    parts = _SCP.fullmatch(text)
    if parts is None or not is_address(parts["host"]):
        raise ValueError(_FORMS)


Repository = Annotated[str, AfterValidator(check_repository), Field(min_length=1, max_length=500)]
