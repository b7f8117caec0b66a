"""Errors as problem documents (RFC 9457), whoever raised them."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.domain.problem import CODES, docs_url
from app.errors import (
    AlreadyWaiting,
    HolderAlive,
    InProgress,
    Invalid,
    ManualLock,
    NotFound,
    PlanNotReady,
    ServiceError,
    TooEarly,
    Unauthorized,
    Unavailable,
)
from app.services.specs import field_errors, sentence

MEDIA_TYPE = "application/problem+json"
_STATUS_CODES = {
    404: "not-found",
    405: "method-not-allowed",
    413: "request-too-large",
    415: "unsupported-media-type",
}
_PLACES = {"query", "header", "path", "cookie"}


class FieldProblem(BaseModel):
    """What is wrong at one place."""

    #: JSON pointer (RFC 6901) into the body.
    pointer: str | None = None
    #: Name of a query parameter or header.
    parameter: str | None = None
    #: Line of a document that was sent as text.
    line: int | None = None
    detail: str


class Problem(BaseModel):
    """RFC 9457, with a code, the next thing to do, and where to read on."""

    type: str = Field(examples=["urn:liftlock:problem:not-found"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    hint: str | None = None
    docs: str
    errors: list[FieldProblem] = Field(default_factory=list)
    request_id: str


def install(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def problem(
    request: Request,
    *,
    code: str,
    status: int,
    detail: str | None = None,
    hint: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Response:
    title = CODES[code].title
    body = Problem(
        type=f"urn:liftlock:problem:{code}",
        title=title,
        status=status,
        detail=detail or f"{title}.",
        instance=request.url.path,
        code=code,
        hint=hint,
        docs=docs_url(code),
        errors=errors or [],
        request_id=request.state.request_id,
    ).model_dump()
    body["errors"] = [_present(error) for error in body["errors"]]
    return JSONResponse({**body, **extra}, status, headers, media_type=MEDIA_TYPE)


async def _service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    fields = error.errors if isinstance(error, Invalid) else ()
    detail = error.detail
    if len(fields) == 1 and detail == type(error).__doc__:
        detail = _said_of(fields[0].pointer or "the body", fields[0].detail)
    return problem(
        request,
        code=error.code,
        status=error.status,
        detail=detail,
        hint=error.hint,
        errors=[FieldProblem(pointer=f.pointer, detail=f.detail, line=f.line) for f in fields],
        headers=_headers(error),
        **_members(error),
    )


def _said_of(place: str, words: str) -> str:
    """A sentence, whether or not the words are one already."""
    return f"{place}: {words.removesuffix('.')}."


def _members(error: ServiceError) -> dict[str, Any]:
    """What only some problems have besides."""
    found: dict[str, Any] = {}
    match error:
        case AlreadyWaiting(job=job):
            found = {"job": {"id": job, "self": f"/v1/jobs/{job}"}}
        case HolderAlive(job=job, holder=holder):
            found = {"holder": {"job": job, **holder}}
        case ManualLock(lock=lock, message=message, actor=actor, since=since):
            found = {"lock": lock, "message": message, "actor": actor, "since": since}
    # Times as the bodies of the API have them.
    return dict(to_jsonable_python(found))


def _headers(error: ServiceError) -> dict[str, str]:
    match error:
        case Unauthorized():
            return {"WWW-Authenticate": 'Bearer realm="liftlock"'}
        case Unavailable() | PlanNotReady() | InProgress():
            return {"Retry-After": "1"}
        case TooEarly(retry_after=seconds):
            return {"Retry-After": str(seconds)}
    return {}


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    details: list[Any] = list(error.errors())
    if any(detail["loc"][0] == "path" for detail in details):
        # No thing can have such a name or id, so there is none.
        return await _service_error(request, NotFound(f"There is nothing at {request.url.path}."))
    found = [
        FieldProblem(parameter=str(detail["loc"][1]), detail=sentence(detail))
        for detail in details
        if detail["loc"][0] in _PLACES
    ]
    in_body = [detail for detail in details if detail["loc"][0] not in _PLACES]
    found += [
        FieldProblem(pointer=field.pointer, detail=field.detail)
        for field in field_errors(in_body, skip=1)
    ]
    first = found[0]
    where = first.parameter or first.pointer or "the body"
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    detail = f"{_said_of(where, first.detail)}{more}"
    return problem(request, code="invalid-request", status=422, detail=detail, errors=found)


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router and the framework raise themselves."""
    if not isinstance(error, HTTPException):
        raise error
    code = _STATUS_CODES.get(error.status_code, "invalid-request")
    if code == "method-not-allowed":
        allowed = ", ".join(_allowed(request))
        detail = f"{request.url.path} answers to: {allowed}."
        return problem(request, code=code, status=405, detail=detail, headers={"Allow": allowed})
    if code == "not-found":
        detail = f"There is nothing at {request.url.path}."
        return problem(
            request, code=code, status=404, detail=detail, hint="GET /openapi.json lists it all."
        )
    return problem(request, code=code, status=error.status_code, detail=str(error.detail))


def _allowed(request: Request) -> list[str]:
    """Methods of every route with that path: the router itself names those of the first only."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
