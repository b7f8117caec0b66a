"""What a token may do."""

from enum import StrEnum


class Scope(StrEnum):
    READ = "read"
    DEPLOY = "deploy"
    ADMIN = "admin"


_RANK = {Scope.READ: 0, Scope.DEPLOY: 1, Scope.ADMIN: 2}


def allows(held: Scope, wanted: Scope) -> bool:
    """Scopes are nested: admin may deploy, deploy may read."""
    return _RANK[held] >= _RANK[wanted]
