"""durable jobs: orders to stop, suspension, idempotent requests, events by month

Runs beside the previous release: columns and tables are added, and the events' new form takes
the same statements as the old one.
"""

import random
import time
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5c0a1e7d42b9"
down_revision = "1382d48758b5"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_LIVE = sa.text("status IN ('running', 'canceling')")
_OPEN = sa.text("status IN ('queued', 'blocked', 'running', 'canceling')")
_LIMITED = sa.text("""status = 'blocked' AND blocked_by @> '[{"kind": "limit"}]'""")
#: Whose turn it is, in order: on a host, on an instance, everywhere together.
_TURNS = {
    "ix_jobs_host_id_open": (["host_id", "priority", "sequence"], _OPEN),
    "ix_jobs_instance_id_open": (["instance_id", "priority", "sequence"], _OPEN),
    "ix_jobs_limited": (["priority", "sequence"], _LIMITED),
}
#: How often the tables' locks are asked for, and what PostgreSQL says when they are taken.
_LOCK_TRIES, _LOCK_NOT_AVAILABLE = 25, "55P03"
#: Months made ahead; from then on a worker makes them.
_AHEAD = 3


def upgrade() -> None:
    _lock_tables()
    op.add_column("jobs", sa.Column("ending", _JSON, nullable=True))
    op.add_column("jobs", sa.Column("deadline", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("suspended", _JSON, nullable=True))
    op.add_column("jobs", sa.Column("retry_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_jobs_retry_of_jobs"), "jobs", "jobs", ["retry_of"], ["id"])
    op.create_index("ix_jobs_host_id_live", "jobs", ["host_id"], postgresql_where=_LIVE)
    op.drop_index("ix_jobs_host_id_running", table_name="jobs")
    for name, (columns, where) in _TURNS.items():
        op.create_index(name, "jobs", columns, postgresql_where=where)
    op.add_column(
        "steps", sa.Column("tries", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.create_table(
        "idempotency",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", _JSON, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"])
    _partition_events()


def _lock_tables() -> None:
    """All that is changed, or nothing: who writes locks jobs and events in either order.

    Waiting for one with another in hand would be a deadlock, in which PostgreSQL may well choose
    the writer to fail. So the wait is short, and everything is let go before the next one.
    """
    connection = op.get_bind()
    for left in reversed(range(_LOCK_TRIES)):
        attempt = connection.begin_nested()
        try:
            op.execute("SET LOCAL lock_timeout = '200ms'")
            for table in ("events", "jobs", "steps"):
                op.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        except sa.exc.DBAPIError as error:
            attempt.rollback()
            if left == 0 or getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 (no secret)
        else:
            return


def _partition_events() -> None:
    """The table so far becomes the part that holds everything until the end of this month."""
    months = _months(datetime.now(UTC))
    op.execute("ALTER TABLE events DROP CONSTRAINT fk_events_job_id_jobs")
    op.execute("ALTER TABLE events RENAME TO events_before")
    op.execute("ALTER INDEX pk_events RENAME TO pk_events_before")
    op.execute("""
        CREATE TABLE events (
            job_id uuid NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,
            type varchar NOT NULL, data jsonb NOT NULL,
            CONSTRAINT pk_events PRIMARY KEY (job_id, seq)
        ) PARTITION BY RANGE (job_id)
    """)
    op.execute(f"""
        ALTER TABLE events ATTACH PARTITION events_before
        FOR VALUES FROM (MINVALUE) TO ('{_first_id(months[1])}')
    """)
    for month, after in pairwise(months[1:]):
        op.execute(f"""
            CREATE TABLE events_{month:%Y_%m} PARTITION OF events
            FOR VALUES FROM ('{_first_id(month)}') TO ('{_first_id(after)}')
        """)
    # Should nobody have made a month's part in time, its events still find a place.
    op.execute("CREATE TABLE events_rest PARTITION OF events DEFAULT")


def _months(now: datetime) -> list[datetime]:
    """The first moment of this month and of those behind it."""
    first = now.year * 12 + now.month - 1
    return [
        datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)
        for index in range(first, first + _AHEAD + 2)
    ]


def _first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: 48 bits of time come first)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def downgrade() -> None:
    op.execute("ALTER TABLE events RENAME TO events_by_month")
    op.execute("ALTER INDEX pk_events RENAME TO pk_events_by_month")
    op.execute("""
        CREATE TABLE events AS SELECT * FROM events_by_month
    """)
    for column in ("job_id", "seq", "at", "type", "data"):
        op.execute(f"ALTER TABLE events ALTER COLUMN {column} SET NOT NULL")
    op.execute("ALTER TABLE events ADD CONSTRAINT pk_events PRIMARY KEY (job_id, seq)")
    op.execute("""
        ALTER TABLE events ADD CONSTRAINT fk_events_job_id_jobs
        FOREIGN KEY (job_id) REFERENCES jobs (id)
    """)
    op.execute("DROP TABLE events_by_month")
    op.drop_index(op.f("ix_idempotency_created_at"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_column("steps", "tries")
    op.create_index(
        "ix_jobs_host_id_running",
        "jobs",
        ["host_id"],
        postgresql_where=sa.text("status = 'running'"),
    )
    for name in ("ix_jobs_host_id_live", *_TURNS):
        op.drop_index(name, table_name="jobs")
    op.drop_constraint(op.f("fk_jobs_retry_of_jobs"), "jobs", type_="foreignkey")
    for column in ("retry_of", "suspended", "deadline", "ending"):
        op.drop_column("jobs", column)
