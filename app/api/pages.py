"""Lists in pages, with an opaque cursor."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from app.models.base import Row

T = TypeVar("T")
V = TypeVar("V")

K = TypeVar("K", UUID, str)

#: Mark our cursors, of ids and of names, so that no other text passes for one by chance.
_MARK = b"llc1"
_NAMED = b"lln1"
_BYTES = len(_MARK) + 16
_NO_CURSOR = "this is no cursor: send the `next` of an earlier page, or nothing"


class Page(BaseModel, Generic[T]):
    """Items, and the cursor of the page behind; null at the end."""

    items: list[T]
    next: str | None = None


class Cursor(Generic[K]):
    """Where a page begins and how long it may be."""

    def __init__(self, request: Request, response: Response, after: K | None, size: int) -> None:
        self.after: K | None = after
        #: One more than the page holds, to know whether there is another.
        self.limit = size + 1
        self._size = size
        self._request = request
        self._response = response

    def page(
        self, found: Sequence[V], row: Callable[[V], Row | str], show: Callable[[V], T]
    ) -> Page[T]:
        """The page of what was found, by row or by name; sets `Link` when there is another."""
        shown = found[: self._size]
        after = None
        if len(found) > self._size:
            after = _encode(row(shown[-1]))
            url = self._request.url.include_query_params(after=after)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return Page(items=[show(item) for item in shown], next=after)


def _encode(row: Row | str) -> str:
    raw = _NAMED + row.encode() if isinstance(row, str) else _MARK + row.id.bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _decode(text: str) -> UUID:
    raw = _raw(text)
    if len(raw) != _BYTES or not raw.startswith(_MARK):
        raise ValueError(_NO_CURSOR)
    return UUID(bytes=raw[len(_MARK) :])


def _decode_name(text: str) -> str:
    raw = _raw(text)
    name = raw.removeprefix(_NAMED)
    if name == raw or not name.isascii() or not name.decode("ascii").isprintable():
        raise ValueError(_NO_CURSOR)
    return name.decode("ascii")


After = Annotated[
    UUID | None,
    BeforeValidator(_decode),
    WithJsonSchema({"type": "string", "maxLength": 64}),
    Query(description="The `next` of the page before."),
]
AfterName = Annotated[
    str | None,
    BeforeValidator(_decode_name),
    WithJsonSchema({"type": "string", "maxLength": 200}),
    Query(description="The `next` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of one page.")]


def _cursor(
    request: Request, response: Response, after: After = None, limit: Limit = 50
) -> Cursor[UUID]:
    return Cursor(request, response, after, limit)


def _cursor_by_name(
    request: Request, response: Response, after: AfterName = None, limit: Limit = 50
) -> Cursor[str]:
    return Cursor(request, response, after, limit)


Paged = Annotated[Cursor[UUID], Depends(_cursor)]
#: For things that have a name and no id.
PagedByName = Annotated[Cursor[str], Depends(_cursor_by_name)]
