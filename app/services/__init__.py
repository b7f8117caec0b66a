"""Use cases: one function is one transaction; calls to the outside come after it."""

from app.services import (
    execution,
    health,
    hosts,
    identities,
    instances,
    jobs,
    recipes,
    recovery,
    secrets,
    tokens,
    work,
)

__all__ = [
    "execution",
    "health",
    "hosts",
    "identities",
    "instances",
    "jobs",
    "recipes",
    "recovery",
    "secrets",
    "tokens",
    "work",
]
