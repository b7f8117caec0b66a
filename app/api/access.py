"""Who may: bearer tokens and their scopes."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from app import services
from app.domain import scope
from app.domain.scope import Scope
from app.errors import Forbidden, Unauthorized
from app.models import Token

_BEARER = HTTPBearer(
    auto_error=False, description="A token from `liftlock tokens create`; its scope decides."
)


class Needs:
    """A route's dependency: a live token of at least this scope. The value is the token."""

    def __init__(self, wanted: Scope) -> None:
        self.scope = wanted

    async def __call__(
        self, request: Request, documented: Annotated[object, Depends(_BEARER)]
    ) -> Token:
        del documented
        token: Token = request.state.token
        return token

    async def admit(self, request: Request) -> None:
        """Called before anything of the body is read; raises Unauthorized or Forbidden."""
        text = _bearer(request.headers.get("authorization"))
        token = await services.tokens.authenticate(request.app.state.db, text or "")
        if text is None:
            raise Unauthorized(hint="Make one: liftlock tokens create NAME --scope deploy")
        if token is None:
            raise Unauthorized("The token is unknown, was revoked or has expired.")
        require(token, self.scope)
        request.state.token = token


def require(token: Token, wanted: Scope) -> None:
    """Raises Forbidden; for routes where the body decides what is needed."""
    if not scope.allows(token.scope, wanted):
        raise Forbidden(
            f"Token {token.name} has the scope {token.scope}; this needs {wanted}.",
            hint=f"Make another: liftlock tokens create NAME --scope {wanted}",
        )


def _bearer(header: str | None) -> str | None:
    kind, _, text = (header or "").partition(" ")
    return text.strip() if kind.lower() == "bearer" and text.strip() else None


#: For routes that do not ask who it was.
READ = [Depends(Needs(Scope.READ))]
DEPLOY = [Depends(Needs(Scope.DEPLOY))]
ADMIN = [Depends(Needs(Scope.ADMIN))]

#: For routes that note who it was.
Reader = Annotated[Token, READ[0]]
Deployer = Annotated[Token, DEPLOY[0]]
Admin = Annotated[Token, ADMIN[0]]
