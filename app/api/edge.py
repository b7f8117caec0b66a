"""Around every request: its id, HEAD as a GET without body, and the last resort for errors."""

import re

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem
from app.models.base import new_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class Edge:
    """ASGI middleware; what raises inside becomes a problem that shows nothing of the inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        state = scope.setdefault("state", {})
        state.update(request_id=request_id, is_head=scope["method"] == "HEAD")
        sender = _Sender(send, request_id, bodiless=state["is_head"])
        if sender.bodiless:
            # A copy: the server still has to know that it answers a HEAD.
            scope = {**scope, "method": "GET"}
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, sender)
            except ClientDisconnect:
                log.info("request.client_left", method=scope["method"], path=scope["path"])
            except Exception:
                log.exception("request.failed", method=scope["method"], path=scope["path"])
                if sender.has_started:
                    raise
                answer = problem(Request(scope), code="internal-error", status=500, hint=_LOOK)
                await answer(scope, receive, sender)


_LOOK = "Look for this request_id in the log of the API; it has the details."


class _Sender:
    def __init__(self, send: Send, request_id: str, *, bodiless: bool) -> None:
        self._send = send
        self._request_id = request_id
        self.bodiless = bodiless
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        elif self.bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _request_id(given: str | None) -> str:
    """The caller's id when it is a plain word; else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else str(new_id())
