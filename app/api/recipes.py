"""/v1/recipes: how kinds of applications are built and run; versions never change."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app import services
from app.api.access import ADMIN, READ
from app.api.body import JSON, media_type_of
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.pages import Page, Paged
from app.api.refs import RecipeName, RecipeVersion
from app.api.route import router as routes_of
from app.errors import FieldError, Invalid
from app.models import Recipe as Row
from app.store.database import Database

router = routes_of("recipes")

_SOURCE = """name: plain
start:
  run: exec python3 -m http.server "$PORT" --bind "$BIND"
check:
  path: /
"""
_DOCUMENT: JsonDict = {
    "name": "plain",
    "start": {"run": 'exec python3 -m http.server "$PORT" --bind "$BIND"'},
    "check": {"path": "/"},
}
_EXAMPLE: JsonDict = {
    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    "name": "plain",
    "version": 1,
    "digest": "5e0f1d6c6ef4cf8c7d0c1e4d2f4b9f1a3a0f5b6e7d8c9b0a1f2e3d4c5b6a7988",
    "description": "",
    "document": _DOCUMENT,
    "created_at": "2026-11-21T05:00:00Z",
}
_YAML = {"schema": {"type": "string"}, "example": _SOURCE}
_JSON = {
    "schema": {
        "title": "RecipePush",
        "description": "YAML text as `source`, or the same as JSON in `document`.",
        "type": "object",
        "properties": {"source": {"type": "string"}, "document": {"type": "object"}},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    },
    "example": {"document": _DOCUMENT},
}
_PUSH = {
    "requestBody": {
        "required": True,
        "content": {JSON: _JSON, "application/yaml": _YAML, "text/yaml": _YAML},
    }
}


class RecipeSummary(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    name: str
    version: int
    #: SHA-256 of what the document means.
    digest: str
    description: str
    document: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        values = row.model_dump(include=set(cls.model_fields))
        return cls(**values, description=row.document.get("description", ""))


class Recipe(RecipeSummary):
    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "source": _SOURCE}]})

    #: As it was pushed, comments included.
    source: str


@router.post(
    "/recipes",
    status_code=201,
    openapi_extra=_PUSH,
    responses=BODY | {200: {"model": Recipe, "description": "It is the newest version already."}},
    dependencies=ADMIN,
)
async def push_recipe(request: Request, response: Response, here: Here) -> Recipe:
    """Store a recipe as the next version of its name (201); 200 when it is the newest already."""
    if media_type_of(request) == JSON:
        row, is_new = await _push_json(here.db, await request.json())
    else:
        row, is_new = await services.recipes.push(here.db, _text(await request.body()))
    response.headers["Location"] = f"/v1/recipes/{row.name}/versions/{row.version}"
    response.status_code = 201 if is_new else 200
    return Recipe.of(row)


@router.get("/recipes", dependencies=READ)
async def list_recipes(cursor: Paged, here: Here) -> Page[RecipeSummary]:
    """The newest version of each."""
    found = await services.recipes.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda row: row, RecipeSummary.of)


@router.get("/recipes/{name}", responses=problems(404), dependencies=READ)
async def get_recipe(name: RecipeName, here: Here) -> Recipe:
    """The newest version."""
    return Recipe.of(await services.recipes.get(here.db, name))


@router.get("/recipes/{name}/versions", responses=problems(404), dependencies=READ)
async def list_recipe_versions(name: RecipeName, cursor: Paged, here: Here) -> Page[RecipeSummary]:
    """Newest first."""
    found = await services.recipes.list_versions(
        here.db, name, after=cursor.after, limit=cursor.limit
    )
    return cursor.page(found, lambda row: row, RecipeSummary.of)


@router.get("/recipes/{name}/versions/{version}", responses=problems(404), dependencies=READ)
async def get_recipe_version(name: RecipeName, version: RecipeVersion, here: Here) -> Recipe:
    """One version, which never changes."""
    return Recipe.of(await services.recipes.get(here.db, name, version))


async def _push_json(db: Database, body: object) -> tuple[Row, bool]:
    match body:
        case {"source": str() as source, **rest} if not rest:
            return await services.recipes.push(db, source)
        case {"document": document, **rest} if not rest:
            return await services.recipes.push_document(db, document)
    detail = 'send {"source": "<YAML>"} or {"document": {…}}'
    raise Invalid(errors=(FieldError("", detail),))


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"the document is not UTF-8: byte {error.start}"
        raise Invalid(errors=(FieldError("", detail),), code="invalid-recipe") from None
