"""The `Idempotency-Key` of every POST: a request that is sent again is answered, not repeated."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError

from app import services
from app.api.body import ReadRequest, media_type_of
from app.api.documented import Responses, problems
from app.services.idempotency import Kept, Keyed

REPLAYED = "Idempotent-Replayed"
#: Visible ASCII.
_PATTERN = r"^[!-~]{1,255}$"

_SEVERAL = {
    "type": "value_error",
    "loc": ("header", "idempotency-key"),
    "msg": "Send one key: of two nobody knows which one counts.",
}

Handler = Callable[[Request], Awaitable[Response]]


async def _documented(
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=_PATTERN,
            description="Any text of your own, new for each thing you want done. Sent again with"
            " the same request within a day, it gets the first answer again"
            f" (`{REPLAYED}: true`) and nothing is done twice; at once, whatever `Prefer: wait`"
            " says. Sent once: two of them are refused.",
            examples=["0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"],
        ),
    ] = None,
) -> None:
    del idempotency_key


#: Describes the header and refuses what is no key; added to every POST.
DOCUMENTED = Depends(_documented)


def responses(declared: Responses) -> Responses:
    """What a POST answers besides: the problems of keys, and the mark of a repeated answer."""
    return {**problems(409), **declared}


async def answer_once(request: Request, handle: Handler) -> Response:
    """Handle a request; one with a key that was answered before is answered the same again."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1:
        raise RequestValidationError([_SEVERAL])
    key = keys[0] if keys else ""
    if re.fullmatch(_PATTERN, key) is None:
        # No key, or none that the route will accept.
        return await handle(request)
    state = request.app.state
    actor = str(request.state.token.id)
    keyed = Keyed(actor, key, await _fingerprint(request))
    answer = await services.idempotency.once(
        state.db, state.vault, keyed, work=lambda: handle(request), keep=_kept
    )
    return _replayed(answer) if isinstance(answer, Kept) else answer


async def _fingerprint(request: Request) -> bytes:
    """Of what the request asks: however its JSON is laid out."""
    # A route that takes no body has not read it, and does not look at it.
    body = await request.body() if isinstance(request, ReadRequest) else b""
    if body and media_type_of(request).endswith("json"):
        body = json.dumps(await request.json(), sort_keys=True).encode()
    place = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(place.encode() + body).digest()


def _kept(response: Response) -> Kept | None:
    if not 200 <= response.status_code < 300:  # noqa: PLR2004  (RFC 9110)
        return None
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Kept(response.status_code, headers, bytes(response.body).decode())


def _replayed(kept: Kept) -> Response:
    return Response(kept.body, kept.status, {**kept.headers, REPLAYED: "true"})
