import pytest

from app.domain.scope import Scope, allows


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        (Scope.READ, Scope.READ, True),
        (Scope.READ, Scope.DEPLOY, False),
        (Scope.DEPLOY, Scope.READ, True),
        (Scope.DEPLOY, Scope.ADMIN, False),
        (Scope.ADMIN, Scope.DEPLOY, True),
    ],
)
def test_scopes_are_nested(held, wanted, allowed):
    assert allows(held, wanted) is allowed
