"""/v1/tokens: who may use the API."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app import services
from app.api.access import ADMIN
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.pages import Page, Paged
from app.api.refs import Id
from app.api.route import router as routes_of
from app.domain.scope import Scope
from app.models import Token as Row

router = routes_of("tokens")

_EXAMPLE: JsonDict = {
    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    "name": "ci",
    "scope": "deploy",
    "prefix": "llk_k3v9x0ab",
    "created_at": "2026-11-21T05:00:00Z",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}


class TokenOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "ci", "scope": "deploy", "expires_in_days": 90}]},
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scope: Scope = Scope.READ
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=3650)] | None = None


class Token(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    name: str
    scope: Scope
    #: The beginning of its text, to recognise it by.
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(**row.model_dump(include=set(cls.model_fields)))


class NewToken(Token):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**_EXAMPLE, "token": "llk_k3v9x0ab_9Jx0T1Zk2Qn4u7Wc5Rb8Yd3Fa6He1Lm0Po9Vs2Xg4"}
            ]
        }
    )

    #: The token itself, shown this once.
    token: str


@router.post("/tokens", status_code=201, responses=BODY, dependencies=ADMIN)
async def create_token(body: TokenOrder, here: Here) -> NewToken:
    """Make a token. Its text is in this answer only; Liftlock keeps a hash."""
    row, text = await services.tokens.create(here.db, **body.model_dump())
    return NewToken(**Token.of(row).model_dump(), token=text)


@router.get("/tokens", dependencies=ADMIN)
async def list_tokens(cursor: Paged, here: Here) -> Page[Token]:
    """Every token, revoked ones too; never their texts."""
    found = await services.tokens.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda row: row, Token.of)


@router.delete("/tokens/{token_id}", status_code=204, responses=problems(404), dependencies=ADMIN)
async def revoke_token(token_id: Id, here: Here) -> None:
    """End a token now."""
    await services.tokens.revoke(here.db, token_id)
