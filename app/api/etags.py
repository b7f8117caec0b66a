"""ETags are version numbers; a change names the one it was made from."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from app.errors import IfMatchMissing
from app.services.versions import Expected

_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag(version: int) -> str:
    return f'W/"{version}"'


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
    if_none_match: Annotated[
        str | None,
        Header(description="The ETag of the answer you have.", examples=['W/"7"']),
    ] = None,
) -> int | None:
    found = _TAG.search(if_none_match or "")
    return int(found[1]) if found else None


IfNoneMatch = Annotated[int | None, Depends(_known)]
IfMatch = Annotated[Expected, Depends(_expected)]
