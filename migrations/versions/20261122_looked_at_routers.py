"""looks at routers: when, what was found, since when a route is behind, and routes left behind

Runs beside the previous release: every new column may be empty, and it writes none of them. Routes
that it leaves behind meanwhile are repeated by hand, as before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "f93b6d20c581"
down_revision = "a61e0d94c5f7"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    for column in (
        sa.Column("look_at", _INSTANT, nullable=True),
        sa.Column("looked_at", _INSTANT, nullable=True),
        sa.Column("look_error", sa.String(), nullable=True),
    ):
        op.add_column("routers", column)
    op.add_column("instances", sa.Column("route_behind_since", _INSTANT, nullable=True))
    op.add_column("instances", sa.Column("route_drift", _JSON, nullable=True))
    op.create_table(
        "left_routes",
        sa.Column("router_id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("left_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["router_id"],
            ["routers.id"],
            name=op.f("fk_left_routes_router_id_routers"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_left_routes_instance_id_instances")
        ),
        sa.PrimaryKeyConstraint("router_id", "instance_id", name=op.f("pk_left_routes")),
    )
    op.create_index("ix_left_routes_instance_id", "left_routes", ["instance_id"])


def downgrade() -> None:
    op.drop_index("ix_left_routes_instance_id", "left_routes")
    op.drop_table("left_routes")
    for name in ("route_drift", "route_behind_since"):
        op.drop_column("instances", name)
    for name in ("look_error", "looked_at", "look_at"):
        op.drop_column("routers", name)
