"""Request bodies: bounded, of the right type, and JSON that can be stored."""

import json
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

from app.domain.recipe_source import pointer, unstorable
from app.errors import FieldError, Invalid

MOST_BYTES = 1024 * 1024
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class ReadRequest(Request):
    """A request whose body was read and checked already."""

    def __init__(self, request: Request, raw: bytes, parsed: object) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._parsed = parsed

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:  # JSON
        return self._parsed


async def read(request: Request, accepted: Collection[str], most: int = MOST_BYTES) -> ReadRequest:
    """Read the body; raises HTTPException 413 and 415, and Invalid for what is no JSON."""
    raw = await _bytes(request, most)
    if not raw:
        return ReadRequest(request, raw, None)
    media_type = media_type_of(request)
    if media_type not in accepted:
        wanted = " or ".join(sorted(accepted))
        found = f"not {media_type}" if media_type else "and the request names none"
        raise HTTPException(415, f"{request.url.path} takes {wanted}, {found}.")
    is_json = media_type.endswith("json")
    return ReadRequest(request, raw, _parsed(raw) if is_json else None)


def media_type_of(request: Request) -> str:
    """Without parameters, in small letters; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _object(request: Request) -> dict[str, Any]:
    found = await request.json()
    if not isinstance(found, dict):
        raise Invalid(errors=(FieldError("", "send a JSON object"),))
    return found


#: The body as a JSON object, for routes that look at it themselves.
JsonObject = Annotated[dict[str, Any], Depends(_object)]


async def _bytes(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:18]) > most:
        raise _too_large(most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"A body has at most {most} bytes.")


def _parsed(raw: bytes) -> object:
    """Raises Invalid with a pointer for every text that cannot be stored."""
    try:
        found: object = json.loads(raw, parse_constant=_no_number)
        bad = list(unstorable(found))
    except RecursionError:
        raise _invalid("", "the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise _invalid("", "the body is not UTF-8") from None
    except ValueError as error:
        raise _invalid("", f"the body is not JSON: {_place(error)}") from None
    if bad:
        detail = "text with NUL or half a surrogate pair cannot be stored"
        raise Invalid(errors=tuple(FieldError(pointer(path), detail) for path in bad))
    return found


def _place(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    return "it has a number that is none, or one too long"


def _no_number(text: str) -> object:
    raise ValueError(text)


def _invalid(place: str, detail: str) -> Invalid:
    return Invalid(errors=(FieldError(place, detail),))
