"""The URLs of stores and of what they are served as: without secrets, and never signed."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from worker.assets.problem import AssetError, Problem

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CLOUDS = ("s3", "gs", "az")
#: What to do about a problem of a base URL.
BASE_URL_HINT = "Give a path as /static/, or a URL as https://static.example/shop/."
_HTTP = ("http://", "https://")
_FORMS = "s3://bucket/prefix or file:///folder"
_SIGNED = (
    "has a query: a signed URL changes each time, and with it the hashes of files that name it"
)
#: No try takes longer, so five take no more than a few minutes.
_LONGEST, _CONNECT = timedelta(seconds=60), timedelta(seconds=10)
#: Tries are counted in one place, which is ours.
_ONCE = {"max_retries": 0, "retry_timeout": _LONGEST}


@dataclass(frozen=True)
class StoreUrl:
    """Where a store is, and how obstore is to open it."""

    #: Without a final `/`.
    url: str
    folder: Path | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def base_url_problem(url: str) -> str | None:
    """Why hashed files cannot be named below this URL; None when they can.

    >>> base_url_problem("https://cdn.example/static/?X-Amz-Signature=1")
    'has a query: a signed URL changes each time, and with it the hashes of files that name it'
    """
    if problem := _url_problem(url):
        return problem
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        return "has a blank or a control character"
    is_path = url.startswith("/") and url[1:2] not in {"/", "\\"}
    is_page = url.lower().startswith(_HTTP) and urlsplit(url).hostname
    if is_path or is_page:
        return None
    return "has to begin with one /, or with http:// or https:// and a host"


def _url_problem(url: str) -> str | None:
    """Of any URL; what is wrong is told without what may be a secret."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return "is no URL"
    if parts.username is not None or parts.password is not None:
        return "has a user name or a password, which everybody would read"
    if parts.query or "?" in url:
        return _SIGNED
    if parts.fragment or "#" in url:
        return "has a fragment, behind which no file can be named"
    return None


def page_problem(url: str) -> str | None:
    """Why nothing can be asked for at this URL or below it."""
    if not url.lower().startswith(_HTTP):
        return "cannot be asked: an http:// or https:// URL is wanted"
    return base_url_problem(url)


def read_store_url(url: str, environment: Mapping[str, str]) -> StoreUrl:
    """Raises AssetError (bad-store-url) without repeating what may be a secret."""
    if problem := _url_problem(url):
        raise _bad(f"The URL of the store {problem}")
    parts = urlsplit(url)
    clean = url.rstrip("/")
    if parts.scheme == "file":
        return _folder(parts.netloc, unquote(parts.path), clean)
    if parts.scheme not in _CLOUDS:
        raise _bad(f"{_shown(url)} is no URL of a store")
    if not parts.netloc:
        raise _bad(f"{_shown(url)} names no bucket")
    options = {"retry_config": _ONCE, "client_options": _client()}
    if parts.scheme != "s3":
        return StoreUrl(clean, options=options)
    return _s3(clean, options, environment)


def _folder(host: str, path: str, url: str) -> StoreUrl:
    if host not in {"", "localhost"} or not path.startswith("/"):
        raise _bad(f"{_shown(url)} is no folder of this machine")
    return StoreUrl(url, Path(path))


def _s3(url: str, options: dict[str, Any], environment: Mapping[str, str]) -> StoreUrl:
    endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), None)
    config = {"checksum_algorithm": "SHA256"}
    if endpoint is None:
        return StoreUrl(url, config=config, options=options)
    if problem := page_problem(endpoint):
        hint = "Give the address of the S3 server, as https://s3.example:9000."
        raise AssetError([Problem("bad-store-url", f"AWS_ENDPOINT_URL {problem}")], hint)
    asked = environment.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
    if endpoint.lower().startswith("http://") and not (asked or _is_loopback(endpoint)):
        message = f"AWS_ENDPOINT_URL is {endpoint}: without TLS others can read and change files"
        raise AssetError(
            [Problem("bad-store-url", message)],
            "Use https://, or set AWS_ALLOW_HTTP=true in a network that you trust.",
        )
    client = {**options["client_options"], "allow_http": True}
    config = {"region": "us-east-1"} | config if _no_region(environment) else config
    return StoreUrl(
        url,
        config={**config, "endpoint": endpoint.rstrip("/")},
        options={**options, "client_options": client},
    )


def _no_region(environment: Mapping[str, str]) -> bool:
    return not any(environment.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))


def _client() -> dict[str, Any]:
    return {"timeout": _LONGEST, "connect_timeout": _CONNECT}


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """A mistyped one may hold a password that is not recognized as such."""
    return "What was given" if "@" in url else url


def _bad(message: str) -> AssetError:
    return AssetError([Problem("bad-store-url", f"{message}.")], f"Give {_FORMS}.")
