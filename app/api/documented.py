"""What OpenAPI says of problems, ETags and bodies that are looked at by hand."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from app.api.body import JSON, MERGE_PATCH
from app.api.problems import MEDIA_TYPE, Problem
from app.domain.problem import CODES, docs_url

Responses = dict[int | str, dict[str, Any]]

_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    409: "conflict",
    410: "events-expired",
    412: "stale",
    413: "request-too-large",
    415: "unsupported-media-type",
    422: "invalid-request",
    428: "if-match-missing",
    503: "unavailable",
}


def problems(*statuses: int) -> Responses:
    """Declared problem responses, each with an example."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{Problem.__name__}"},
                    "example": _problem(status, _CODES[status]),
                }
            },
        }
        for status in statuses
    }


def conflicts(code: str, *others: str, at: str, detail: str, hint: str | None = None) -> Responses:
    """A declared 409 with the codes that are met most; the example has the first of them."""
    declared = problems(409)[409]
    content = declared["content"][MEDIA_TYPE]
    named = ", ".join(f"`{name}`" for name in (code, *others))
    shown = _problem(409, code) | {"detail": detail, "hint": hint, "instance": at}
    return {
        409: {
            "description": f"Conflict: {named}.",
            "content": {MEDIA_TYPE: content | {"example": shown}},
        }
    }


def merge_patch(spec: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The body of a PATCH: any fields of the description, null to take one away."""
    schema = spec.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = {
        name: {"anyOf": [_without(value, "default"), {"type": "null"}]}
        for name, value in schema["properties"].items()
    }
    patch = {
        "title": spec.__name__.replace("Spec", "Patch"),
        "description": "JSON Merge Patch (RFC 7396).",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    content = {"schema": patch, "example": example}
    return {"requestBody": {"required": True, "content": {MERGE_PATCH: content, JSON: content}}}


def _problem(status: int, code: str) -> dict[str, Any]:
    title = CODES[code].title
    return {
        "type": f"urn:liftlock:problem:{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "instance": "/v1/hosts/web-1",
        "code": code,
        "hint": None,
        "docs": docs_url(code),
        "errors": [],
        "request_id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    }


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


#: Of routes with a body.
BODY = problems(413, 415)
#: Of changes that need If-Match.
GUARDED = problems(404, 409, 412, 428)
