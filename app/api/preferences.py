"""`Prefer: wait=N` (RFC 7240): answer when there is something to say, within N seconds."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

#: Proxies cut a silent answer after a minute, most of them.
LONGEST_WAIT = 30

_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long the caller would wait; `headers` tell what came of the wish."""

    seconds: int = 0
    asked: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Preference-Applied": f"wait={self.seconds}"} if self.asked else {}


async def _patience(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(
            description=f"`wait=N`: seconds to wait for news, at most {LONGEST_WAIT}.",
            examples=["wait=25"],
        ),
    ] = None,
) -> Patience:
    # A header may come several times; the declared parameter has one of them.
    del prefer
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    return Patience(min(int(found[1]), LONGEST_WAIT), asked=True) if found else Patience()


Wait = Annotated[Patience, Depends(_patience)]
