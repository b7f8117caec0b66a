"""Use cases: one function is one transaction; calls to the outside come after it."""

from app.services import (
    claiming,
    ending,
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
    "claiming",
    "ending",
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
