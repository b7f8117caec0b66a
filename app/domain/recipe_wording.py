"""What pydantic found wrong with a recipe, in the words of the document."""

import types
from collections.abc import Iterator
from itertools import islice
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.domain.recipe_parts import described
from app.domain.recipe_rules import near_miss
from app.domain.recipe_source import MAX_ERRORS, Path, RecipeError, Source

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of names",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
}


def errors(model: type[BaseModel], source: Source, error: ValidationError) -> list[RecipeError]:
    """One error for each place, with its line."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    worth_saying = (
        detail
        for detail in details
        if detail["type"] != "too_short" or not _any_below(detail["loc"], places)
    )
    return [
        source.error(detail["loc"], _message(model, detail))
        for detail in islice(worth_saying, MAX_ERRORS)
    ]


def _any_below(place: Path, places: list[Path]) -> bool:
    """A list whose entries are all wrong counts as empty too; that would be said twice."""
    return any(len(path) > len(place) and path[: len(place)] == place for path in places)


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    key, found = detail["loc"][-1] if detail["loc"] else "", detail["input"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key `{key}`{near_miss(str(key), _keys_at(model, detail['loc'][:-1]))}"
    if kind == "missing":
        return f"the key `{key}` is missing"
    if kind == "too_short":
        return f"`{key}` wants at least one entry"
    if kind == "too_long":
        size = detail["ctx"]
        return f"`{key}` has {size['actual_length']} entries; {size['max_length']} are the limit"
    if kind in _WANTED:
        name = f"`{key}` wants" if isinstance(key, str) and key else "wants"
        return f"{name} {_WANTED[kind]}, found {described(found)}"
    return f"{described(found)} does not fit: {detail['msg']}"


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the document may have at `path`."""
    models = [model]
    for part in path:
        if part in models[-1].model_fields:
            annotation = models[-1].model_fields[str(part)].annotation
            models.append(next(_models_in(annotation), models[-1]))
    return list(models[-1].model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    if get_origin(annotation) in {tuple, dict, Union, types.UnionType}:
        for inner in get_args(annotation):
            yield from _models_in(inner)
