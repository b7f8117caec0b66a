"""machines: what providers were asked for, and the instances that ask them

Runs beside the previous release: the new column may be empty, and what has a provider has neither
a host nor a pool, so that the previous release refuses to provision it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "e58c1f0a7b24"
down_revision = "d27a5f81c3e6"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "machines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=True),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("wanted", _JSON, nullable=False),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("ready_at", _INSTANT, nullable=True),
        sa.Column("terminated_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["host_id"], ["hosts.id"], name=op.f("fk_machines_host_id_hosts"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["instances.id"],
            name=op.f("fk_machines_instance_id_instances"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machines")),
        sa.UniqueConstraint("tag", name=op.f("uq_machines_tag")),
    )
    for column in ("provider", "host_id", "instance_id"):
        op.create_index(f"ix_machines_{column}", "machines", [column])
    op.add_column("instances", sa.Column("provider", sa.String(), nullable=True))


def downgrade() -> None:
    # The release before has no word for these two.
    op.execute("UPDATE hosts SET status = 'cordoned' WHERE status IN ('making', 'gone')")
    op.drop_column("instances", "provider")
    for column in ("instance_id", "host_id", "provider"):
        op.drop_index(f"ix_machines_{column}", "machines")
    op.drop_table("machines")
