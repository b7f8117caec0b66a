"""Providers, by the names that the operator gave them."""

from collections.abc import Collection

from app.errors import FieldError, Invalid


def check(name: object, known: Collection[str]) -> None:
    """Raise Invalid for a provider that nobody was told of; None is no provider."""
    if not isinstance(name, str) or name in known:
        return  # another kind of value is refused by the description
    told = f"it knows {', '.join(sorted(known))}" if known else "it knows none"
    raise Invalid(
        errors=(FieldError("/provider", f"the API was told of no such provider; {told}"),),
        hint="Name it in LIFTLOCK_PROVIDERS of the API and of every worker: docs/providers.md",
    )
