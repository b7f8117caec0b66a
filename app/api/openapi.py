"""The OpenAPI document: FastAPI's, with the problem schema and an example for every answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.problems import Problem

_REF = "#/components/schemas/{model}"
_INTRODUCTION = """\
Installs web applications on your own servers, as jobs, and puts them into service without losing
a request.

- **Token**: `Authorization: Bearer llk_…`; its scope is `read`, `deploy` or `admin`.
- **Jobs**: what takes time answers 202 with a job, which was committed before; `Prefer: wait=25`
  waits for its end.
- **Sent twice**: a `POST` takes an `Idempotency-Key`. Sent again within a day, it gets its first
  answer, and nothing is done twice.
- **Changed by others**: `PATCH` and `DELETE` need `If-Match`, the ETag of what you have read.
- **Errors**: problem documents (RFC 9457) with a `code` that `docs/errors.md` explains, and mostly
  a `hint`: what to type next.
- **Lists**: at most `limit` items, and `next`, to be sent as `after`.
"""
_TAGS = {
    "jobs": "What was asked for, and what became of it.",
    "instances": "Long-lived sites: what they are made of, where they run, how they are reached.",
    "app-servers": "Deployments of an instance, which never change: in service, beside, or gone.",
    "asset releases": "Hashed static files, a set for each app server.",
    "extensions": "Packages added to an instance: which version, where, and enabled or not.",
    "packages": "Uploaded wheels, for extensions that are on no index.",
    "hosts": "Machines reached by SSH.",
    "routers": "Caddy, nginx or HAProxy on a host; passes requests on to what is in service.",
    "machines": "Hosts that a provider, your own program, makes for app servers.",
    "locks": "Who keeps jobs from beginning: other jobs, and people who placed a lock.",
    "recipes": "How kinds of applications are built, started and checked.",
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` build the document once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.router.routes.append(Route("/", _to_docs))


def _to_docs(_: Request) -> Response:
    """Whoever opens the address in a browser."""
    return RedirectResponse("/docs")


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_INTRODUCTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs"), Problem=problem)
    for operations in document["paths"].values():
        for operation in operations.values():
            _add_examples(operation, schemas)
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return document


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*bodies, *operation["responses"].values()]:
        for content in body.get("content", {}).values():
            examples = _examples(content.get("schema", {}), schemas)
            if {"example", "examples"} & set(content) or not examples:
                continue
            if len(examples) == 1:
                content["example"] = examples[0]
            else:
                named = enumerate(examples, start=1)
                content["examples"] = {f"{number}": {"value": value} for number, value in named}


def _examples(schema: dict[str, Any], schemas: dict[str, Any]) -> list[Any]:  # any JSON
    """Those of the model; for a list, a page with one item."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return list(schema["examples"])
    items = schema.get("properties", {}).get("items", {}).get("items")
    return [{"items": _examples(items, schemas)[:1], "next": None}] if items else []
