"""ETags are version numbers; a change names the one it was made from."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from app.errors import IfMatchMissing
from app.services.versions import Expected

_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


@dataclass(frozen=True)
class Known:
    """The versions that the caller has; `any` is a `*`."""

    versions: frozenset[int] = frozenset()
    any: bool = False

    @property
    def newest(self) -> int | None:
        return max(self.versions, default=None)

    def has(self, version: int) -> bool:
        return self.any or version in self.versions


def etag(version: int) -> str:
    return f'W/"{version}"'


def strong_etag(version: int) -> str:
    """For what has no other form than the one that was counted."""
    return f'"{version}"'


def one_version(if_match: str) -> int | None:
    """The one that the header names; None for `*`, several, or what is no ETag of ours."""
    found = _TAG.fullmatch(if_match.strip())
    return int(found[1]) if found else None


def set_etag(response: Response, version: int) -> None:
    response.headers["ETag"] = etag(version)


async def _expected(
    if_match: Annotated[
        str | None,
        Header(description="The ETag of the version you are changing.", examples=['W/"1"']),
    ] = None,
) -> Expected:
    if if_match is None:
        raise IfMatchMissing(hint="GET it first; the answer's ETag is what to send.")
    if if_match.strip() == "*":
        return None
    return frozenset(int(number) for number in _TAG.findall(if_match))


async def _known(
    request: Request,
    if_none_match: Annotated[
        str | None,
        Header(description="ETags of the answers you have, or `*`.", examples=['W/"7"']),
    ] = None,
) -> Known:
    # A header may come several times; the declared parameter has one of them.
    del if_none_match
    text = ", ".join(request.headers.getlist("if-none-match"))
    return Known(frozenset(map(int, _TAG.findall(text))), any=text.strip() == "*")


IfNoneMatch = Annotated[Known, Depends(_known)]
IfMatch = Annotated[Expected, Depends(_expected)]
