"""The `hosts` table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.domain.host import HostStatus, Supervisor
from app.models.base import Instant, MutableRow, Word, given


class Host(MutableRow, table=True):
    __tablename__ = "hosts"

    name: str = Field(unique=True)
    address: str
    port: int = 22
    username: str
    #: Where Liftlock keeps its files; relative means below the user's home.
    base_dir: str = "liftlock"
    sudo: bool = False
    jump_host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    supervisor: Supervisor = Field(default=Supervisor.NONE, sa_type=Word(Supervisor))
    supervisor_options: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: Where the sites on it listen, and where a router finds them.
    site_address: str = Field(default="127.0.0.1", sa_column_kwargs=given("127.0.0.1"))
    pool: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: Jobs that may work on it at the same time.
    capacity: int = 2
    #: App servers that a pool may put on it; None: as many as there are ports.
    places: int | None = None
    port_first: int = 20000
    port_last: int = 29999
    #: The next port to try: ports go round, so a port found in use is not tried again at once.
    next_port: int = 20000
    status: HostStatus = Field(default=HostStatus.READY, sa_type=Word(HostStatus))
    #: Why Liftlock took it out of use: code, detail, job, at. None once somebody set its status.
    status_reason: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    #: When somebody last set it: what provisions met there before is forgotten.
    status_set_at: datetime | None = Field(default=None, sa_type=Instant)
    #: The pinned key, as `type base64`; None until the host is enrolled.
    host_key: str | None = None
    #: The key that the last enrolment read and nobody has confirmed yet.
    pending_host_key: str | None = None
    pending_fingerprint: str | None = None
