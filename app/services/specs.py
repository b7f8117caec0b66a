"""From what a caller sends to a valid description, or to errors with pointers."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.domain.merge_patch import merge_patch
from app.domain.recipe_source import pointer
from app.errors import FieldError, Invalid

S = TypeVar("S", bound=BaseModel)


def patched(spec: S, patch: Mapping[str, Any]) -> S:
    """The description with a JSON Merge Patch (RFC 7396) applied; raises Invalid."""
    merged = merge_patch(spec.model_dump(mode="json"), patch)
    try:
        return type(spec).model_validate(merged)
    except ValidationError as error:
        raise Invalid(errors=field_errors(error.errors(include_url=False))) from None


def field_errors(details: list[ErrorDetails], *, skip: int = 0) -> tuple[FieldError, ...]:
    """One error for each place, without the value found there: it may be a secret."""
    found: dict[str, str] = {}
    for detail in details:
        context = detail.get("ctx") or {}
        path = tuple(detail["loc"])[skip:]
        if "field" in context:
            named = context["field"]
            path = (*path, *((named,) if isinstance(named, str) else named))
        found.setdefault(pointer(path), sentence(detail))
    return tuple(FieldError(place, message) for place, message in found.items())


def sentence(detail: ErrorDetails) -> str:
    """What is wrong, in our words where pydantic's are about Python."""
    match detail["type"]:
        case "missing":
            return "this field is required"
        case "extra_forbidden":
            return "there is no such field"
        case "value_error":
            return str((detail.get("ctx") or {}).get("error", detail["msg"]))
    return detail["msg"]
