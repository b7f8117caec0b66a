"""The API's own description explains and shows every route."""

import pytest
from fastapi.routing import APIRoute

from app.domain.problem import CODES
from app.main import create_app

# Building the description needs no handles.
APP = create_app(None, None, None, None)
OPENAPI = APP.openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}


def is_shown(media):
    """Whether there is an example beside the schema, or in what it refers to."""
    if "example" in media or "examples" in media:
        return True
    schema = media.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found = OPENAPI["components"]["schemas"].get(name, schema)
    return "example" in found or "examples" in found


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_says_what_it_does(name):
    operation = OPERATIONS[name]
    assert operation.get("summary")
    assert operation.get("description")
    assert operation.get("tags")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_shows_what_it_takes_and_answers(name):
    operation = OPERATIONS[name]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    media = [
        (place, item)
        for place, answer in (*operation["responses"].items(), *(("body", body) for body in bodies))
        for item in answer.get("content", {}).values()
    ]
    assert not [place for place, item in media if not is_shown(item)]


def test_no_route_is_hidden():
    hidden = [
        route.path
        for route in APP.routes
        if isinstance(route, APIRoute)
        and not route.include_in_schema
        and not route.path.startswith("/docs")
    ]
    assert not hidden


def test_the_problems_that_routes_declare_are_in_the_catalogue():
    codes = {
        item["example"]["code"]
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for kind, item in answer.get("content", {}).items()
        if kind == "application/problem+json"
    }
    assert codes <= set(CODES)
