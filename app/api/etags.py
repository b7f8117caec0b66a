"""ETags are version numbers; a change names the one it was made from."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from app.errors import IfMatchMissing
from app.services.versions import Expected

_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def set_etag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'W/"{version}"'


def _expected(
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


IfMatch = Annotated[Expected, Depends(_expected)]
