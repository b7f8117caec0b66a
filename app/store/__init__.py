"""Every SQL statement, one module per aggregate. A function takes a session and never commits."""

from app.store import (
    app_servers,
    attempts,
    events,
    hosts,
    identities,
    instances,
    jobs,
    locks,
    outbox,
    recipes,
    schema,
    steps,
    tokens,
    turns,
)

__all__ = [
    "app_servers",
    "attempts",
    "events",
    "hosts",
    "identities",
    "instances",
    "jobs",
    "locks",
    "outbox",
    "recipes",
    "schema",
    "steps",
    "tokens",
    "turns",
]
