"""The `instances` and `secrets` tables: long-lived sites and what they keep hidden."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Instant, MutableRow, given, utc_now


class Instance(MutableRow, table=True):
    __tablename__ = "instances"

    name: str = Field(unique=True)
    recipe_id: UUID = Field(foreign_key="recipes.id", index=True)
    repository: str
    revision: str
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    domain: str | None = None
    host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    #: Instead of a host: any open host of this pool that has these labels.
    pool: str | None = None
    labels: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, sa_column_kwargs=given("{}")
    )
    #: Instead of both: each app server gets a machine of its own from this provider.
    provider: str | None = None
    #: App servers that one request makes, and that serve together.
    target_count: int = Field(default=1, sa_column_kwargs=given("1"))
    #: Days after which app servers that nobody needs are terminated; None: never.
    retention_days: int | None = 2
    #: Who passes requests on to its active app servers.
    router_id: UUID | None = Field(default=None, foreign_key="routers.id", index=True)
    #: `mode` (app.domain.router.TlsMode), and for `files` their paths on the router's host.
    tls: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB, sa_column_kwargs=given("{}"))
    #: Counts what was wanted of the router; several wishes are fulfilled by one job.
    route_version: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=given("0"))
    #: The version that was last read back from the router.
    route_applied: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=given("0"))
    #: Since when the router is behind what is wanted of it; None: it is not.
    route_behind_since: datetime | None = Field(default=None, sa_type=Instant)
    #: What was found, the last time that its route was not what had been read back: `at`, `found`,
    #: and `repaired_at` once that is so again.
    route_drift: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    #: The order of the newest request that an activation has carried out: an older one that is
    #: late does not take its place.
    activated_sequence: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=given("0"))
    #: When `prepare` was done; it runs once in an instance's life.
    prepared_at: datetime | None = Field(default=None, sa_type=Instant)
    #: Where that was: the instance's data is there, and nowhere else.
    prepared_host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    #: Participants whose creation is done; each runs once in an instance's life.
    participants_created: list[str] = Field(default_factory=list, sa_type=JSONB)
    #: When somebody last began to look at its extensions; None: never.
    extensions_seen_at: datetime | None = Field(default=None, sa_type=Instant)
    #: The number of its next app server.
    next_number: int = 1


class Secret(SQLModel, table=True):
    __tablename__ = "secrets"

    instance_id: UUID = Field(foreign_key="instances.id", primary_key=True)
    name: str = Field(primary_key=True)
    ciphertext: bytes
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
