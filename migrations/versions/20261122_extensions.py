"""extensions: what is added to instances, uploaded wheels, and app servers that take over a place

Runs beside the previous release: new columns have a default or may be empty, and what it deletes
takes the rows of the new tables along.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "3e9c7a15d8b4"
down_revision = "f93b6d20c581"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)
_PORTS = "uq_app_servers_host_id_port"
_HOLDS_PORT = "status IN ('configuring', 'new', 'running', 'waiting')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    _widen_app_servers()
    op.create_table(
        "extensions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", _JSON, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("settings", _JSON, nullable=False),
        sa.Column("requires", _JSON, nullable=False),
        sa.Column("load_error", sa.String(), nullable=True),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("last_job_id", sa.Uuid(), nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["instances.id"],
            name=op.f("fk_extensions_instance_id_instances"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extensions")),
        sa.UniqueConstraint("instance_id", "name", name=op.f("uq_extensions_instance_id_name")),
    )
    _make_extension_hosts()
    _make_packages()
    op.add_column("instances", sa.Column("extensions_seen_at", _INSTANT, nullable=True))


def _widen_app_servers() -> None:
    extensions = sa.Column("extensions", _JSON, nullable=False, server_default="[]")
    op.add_column("app_servers", extensions)
    op.add_column("app_servers", sa.Column("takes_over_id", sa.Uuid(), nullable=True))
    name = op.f("fk_app_servers_takes_over_id_app_servers")
    op.create_foreign_key(name, "app_servers", "app_servers", ["takes_over_id"], ["id"])
    op.create_index("ix_app_servers_takes_over_id", "app_servers", ["takes_over_id"])
    # Who takes over a place has the port of the one that is there still.
    _replace_ports(f"{_HOLDS_PORT} AND takes_over_id IS NULL")


def _replace_ports(where: str) -> None:
    op.drop_index(_PORTS, "app_servers")
    columns = ["host_id", "port"]
    op.create_index(_PORTS, "app_servers", columns, unique=True, postgresql_where=sa.text(where))


def _make_extension_hosts() -> None:
    op.create_table(
        "extension_hosts",
        sa.Column("extension_id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("app_server_id", sa.Uuid(), nullable=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["extension_id"],
            ["extensions.id"],
            name=op.f("fk_extension_hosts_extension_id_extensions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["hosts.id"],
            name=op.f("fk_extension_hosts_host_id_hosts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("extension_id", "host_id", name=op.f("pk_extension_hosts")),
    )
    op.create_index("ix_extension_hosts_host_id", "extension_hosts", ["host_id"])


def _make_packages() -> None:
    op.create_table(
        "packages",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_packages")),
    )
    # A wheel is compressed already.
    op.execute("ALTER TABLE packages ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    _end_jobs()
    _keep_one_a_port()
    op.drop_column("instances", "extensions_seen_at")
    op.drop_table("packages")
    op.drop_table("extension_hosts")
    op.drop_table("extensions")
    _replace_ports(_HOLDS_PORT)
    op.drop_index("ix_app_servers_takes_over_id", "app_servers")
    name = op.f("fk_app_servers_takes_over_id_app_servers")
    op.drop_constraint(name, "app_servers", type_="foreignkey")
    op.drop_column("app_servers", "takes_over_id")
    op.drop_column("app_servers", "extensions")


def _end_jobs() -> None:
    """The release before has no word for their kinds: with one of them it could read no list.

    Their app servers may serve, so they stay, and so do these jobs: as provisions, which they are.
    """
    theirs = "SELECT id FROM jobs WHERE kind IN ('install', 'uninstall', 'enable', 'disable')"
    looks = "SELECT id FROM jobs WHERE kind = 'inspect'"
    for table in ("events", "steps"):
        op.execute(f"DELETE FROM {table} WHERE job_id IN ({theirs} UNION {looks})")  # noqa: S608
    # They changed nothing, and nothing is left of them.
    op.execute("DELETE FROM jobs WHERE kind = 'inspect'")
    open_ = "status NOT IN ('succeeded', 'failed', 'canceled', 'superseded')"
    op.execute(f"""
        UPDATE app_servers SET status =
            CASE WHEN status = 'configuring' THEN 'failed' ELSE 'error' END
        WHERE status IN ('new', 'waiting', 'configuring')
          AND job_id IN ({theirs} AND {open_})
    """)  # noqa: S608 (constants)
    op.execute(f"""
        UPDATE jobs SET status = 'canceled', finished_at = clock_timestamp(), lease_until = NULL,
            worker = NULL, blocked_by = '[]', suspended = NULL
        WHERE id IN ({theirs}) AND {open_}
    """)  # noqa: S608 (constants)
    op.execute(f"UPDATE jobs SET kind = 'provision' WHERE id IN ({theirs})")  # noqa: S608


def _keep_one_a_port() -> None:
    """Where two share a port, it is that of the one in service, else of the newest."""
    op.execute(f"""
        UPDATE app_servers SET status = 'failed', is_active = false
        WHERE {_HOLDS_PORT} AND id NOT IN (
            SELECT DISTINCT ON (host_id, port) id FROM app_servers WHERE {_HOLDS_PORT}
            ORDER BY host_id, port, is_active DESC, number DESC
        )
    """)  # noqa: S608 (constants)
