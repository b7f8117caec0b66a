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
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs"), Problem=problem)
    for operations in document["paths"].values():
        for operation in operations.values():
            _add_examples(operation, schemas)
    return document


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*bodies, *operation["responses"].values()]:
        for content in body.get("content", {}).values():
            example = _example(content.get("schema", {}), schemas)
            if "example" not in content and example is not None:
                content["example"] = example


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # any JSON
    """The example of the model; for a list, one item of it."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return schema["examples"][0]
    items = schema.get("properties", {}).get("items", {}).get("items")
    return {"items": [_example(items, schemas)], "next": None} if items else None
