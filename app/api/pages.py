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

#: Marks our cursors, so that no other text passes for one by chance.
_MARK = b"llc1"
_BYTES = len(_MARK) + 16


class Page(BaseModel, Generic[T]):
    """Items, and the cursor of the page behind; null at the end."""

    items: list[T]
    next: str | None = None


class Cursor:
    """Where a page begins and how long it may be."""

    def __init__(self, request: Request, response: Response, after: UUID | None, size: int) -> None:
        self.after = after
        #: One more than the page holds, to know whether there is another.
        self.limit = size + 1
        self._size = size
        self._request = request
        self._response = response

    def page(self, found: Sequence[V], row: Callable[[V], Row], show: Callable[[V], T]) -> Page[T]:
        """The page of what was found; sets `Link` when there is another."""
        shown = found[: self._size]
        after = None
        if len(found) > self._size:
            after = _encode(row(shown[-1]).id)
            url = self._request.url.include_query_params(after=after)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return Page(items=[show(item) for item in shown], next=after)


def _encode(key: UUID) -> str:
    return base64.urlsafe_b64encode(_MARK + key.bytes).decode().rstrip("=")


def _decode(text: str) -> UUID:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _BYTES or not raw.startswith(_MARK):
        raise ValueError("this is no cursor: send the `next` of an earlier page, or nothing")
    return UUID(bytes=raw[len(_MARK) :])


After = Annotated[
    UUID | None,
    BeforeValidator(_decode),
    WithJsonSchema({"type": "string", "maxLength": 64}),
    Query(description="The `next` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of one page.")]


def _cursor(request: Request, response: Response, after: After = None, limit: Limit = 50) -> Cursor:
    return Cursor(request, response, after, limit)


Paged = Annotated[Cursor, Depends(_cursor)]
