"""The house route: admit the caller, then read the body, then let FastAPI go on."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from app.api import body, idempotency
from app.api.access import Needs
from app.api.documented import problems

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Promise(JSONResponse):
    """An answer of a route that becomes another one while the caller waits.

    The waiting is done when the route's transaction is over; this one is kept for repetitions.
    """

    def __init__(
        self,
        content: Any,
        status_code: int,
        headers: dict[str, str],
        *,
        kept: Callable[[], Awaitable[Response]],
    ) -> None:
        super().__init__(content, status_code, headers)
        self.kept = kept


class Route(APIRoute):
    """Without this order, who has no token could still make the API parse a body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), idempotency.DOCUMENTED]
            options["responses"] = idempotency.responses(options.get("responses") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        guard = self.guard
        accepted, most = self.accepted, self.most_bytes
        may_repeat = "POST" in (self.methods or ())

        async def handler(request: Request) -> Response:
            if guard is not None:
                await guard.admit(request)
            if accepted:
                request = await body.read(request, accepted, most)
            if not may_repeat:
                return await handle(request)
            response = await idempotency.answer_once(request, handle)
            return await response.kept() if isinstance(response, Promise) else response

        return handler

    @property
    def guard(self) -> Needs | None:
        """What the route asks of the caller's token; None for a public one."""
        return _needs(self.dependant)

    @property
    def accepted(self) -> frozenset[str]:
        """Media types of its body; empty when it has none."""
        return frozenset(self._documented or ([body.JSON] if self.body_field else []))

    @property
    def most_bytes(self) -> int:
        """Of its body: what its description says, or what all routes take."""
        schemas = [content["schema"] for content in self._documented.values()]
        said = [one["maxLength"] for one in schemas if one.get("format") == "binary"]
        return max(said, default=body.MOST_BYTES)

    @property
    def _documented(self) -> dict[str, Any]:
        """The content of a body that is described by hand, by media type."""
        body_: dict[str, dict[str, Any]] = (self.openapi_extra or {}).get("requestBody", {})
        return body_.get("content", {})


def router(noun: str) -> APIRouter:
    """For the routes of one aggregate under /v1."""
    return APIRouter(
        prefix="/v1",
        tags=[noun],
        route_class=Route,
        responses=problems(401, 403, 422, 503),
        generate_unique_id_function=lambda route: route.name,
    )


def _needs(dependant: Dependant) -> Needs | None:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Needs):
            return dependency.call
    return None
