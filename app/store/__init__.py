"""Every SQL statement, one module per aggregate. A function takes a session and never commits."""

from app.store import (
    app_servers,
    events,
    hosts,
    identities,
    instances,
    jobs,
    locks,
    recipes,
    schema,
    steps,
    tokens,
)

__all__ = [
    "app_servers",
    "events",
    "hosts",
    "identities",
    "instances",
    "jobs",
    "locks",
    "recipes",
    "schema",
    "steps",
    "tokens",
]
