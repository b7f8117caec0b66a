"""side by side: routers, what is in service, the requests that app servers belong to

Runs beside the previous release: every new column has a default or may be empty. App servers that
it makes meanwhile have no `deployment_id`; they stand for themselves.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "d27a5f81c3e6"
down_revision = "b41d7c0e92fa"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Constant defaults rewrite no row; whoever holds one of the tables for longer is waited for
    # another time.
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "routers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("options", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_routers_host_id_hosts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routers")),
        sa.UniqueConstraint("name", name=op.f("uq_routers_name")),
    )
    op.create_index("ix_routers_host_id", "routers", ["host_id"])
    _widen_hosts()
    _widen_instances()
    _widen_app_servers()


def _widen_hosts() -> None:
    address = sa.Column("site_address", sa.String(), nullable=False, server_default="127.0.0.1")
    op.add_column("hosts", address)
    op.add_column("hosts", sa.Column("places", sa.Integer(), nullable=True))


def _widen_instances() -> None:
    for column in (
        sa.Column("pool", sa.String(), nullable=True),
        sa.Column("labels", _JSON, nullable=False, server_default="{}"),
        sa.Column("target_count", sa.Integer(), nullable=False, server_default="1"),
        # Nobody asked the instances of before to lose what they have: they keep it.
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("router_id", sa.Uuid(), nullable=True),
        sa.Column("tls", _JSON, nullable=False, server_default="{}"),
        sa.Column("route_version", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("route_applied", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("activated_sequence", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("instances", column)
    name = op.f("fk_instances_router_id_routers")
    op.create_foreign_key(name, "instances", "routers", ["router_id"], ["id"])
    op.create_index("ix_instances_router_id", "instances", ["router_id"])


def _widen_app_servers() -> None:
    for column in (
        sa.Column("activated_at", _INSTANT, nullable=True),
        sa.Column("deactivated_at", _INSTANT, nullable=True),
        sa.Column("cleaned_at", _INSTANT, nullable=True),
        sa.Column("deployment_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(), nullable=False, server_default="127.0.0.1"),
    ):
        op.add_column("app_servers", column)
    op.execute("UPDATE app_servers SET deployment_id = job_id")
    op.create_index("ix_app_servers_deployment_id", "app_servers", ["deployment_id"])


def downgrade() -> None:
    _forget_jobs()
    op.drop_index("ix_app_servers_deployment_id", "app_servers")
    for name in ("address", "deployment_id", "cleaned_at", "deactivated_at", "activated_at"):
        op.drop_column("app_servers", name)
    op.drop_index("ix_instances_router_id", "instances")
    op.drop_constraint(op.f("fk_instances_router_id_routers"), "instances", type_="foreignkey")
    for name in (
        "activated_sequence",
        "route_applied",
        "route_version",
        "tls",
        "router_id",
        "retention_days",
        "target_count",
        "labels",
        "pool",
    ):
        op.drop_column("instances", name)
    op.drop_column("hosts", "places")
    op.drop_column("hosts", "site_address")
    op.drop_index("ix_routers_host_id", "routers")
    op.drop_table("routers")


def _forget_jobs() -> None:
    """The release before has no word for their kinds: with one of them it could read no list."""
    kinds = sa.column("kind").in_(["activate", "deactivate", "terminate", "route"])
    jobs = sa.table("jobs", sa.column("id"), sa.column("kind"))
    theirs = sa.select(jobs.c.id).where(kinds)
    for name in ("events", "steps"):
        table = sa.table(name, sa.column("job_id"))
        op.execute(sa.delete(table).where(table.c.job_id.in_(theirs)))
    op.execute(sa.delete(jobs).where(kinds))
