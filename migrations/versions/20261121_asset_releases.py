"""asset releases: hashed static files, a set for each app server

Runs beside the previous release, which does not know the table: the rows of an app server that it
deletes go by themselves.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "b41d7c0e92fa"
down_revision = "8f2b6c93d1a4"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    # The reference locks app_servers against writers for a moment. It is the only one: further
    # ones, of the instance and the job, would lock the busiest tables for nothing.
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "asset_releases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("app_server_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("new_files", sa.Integer(), nullable=False),
        sa.Column("new_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reused_files", sa.Integer(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("warnings", _JSON, nullable=False),
        sa.Column("warnings_total", sa.Integer(), nullable=False),
        sa.Column("errors", _JSON, nullable=False),
        sa.Column("errors_total", sa.Integer(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=True),
        sa.Column("manifest_url", sa.String(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_server_id"],
            ["app_servers.id"],
            name=op.f("fk_asset_releases_app_server_id_app_servers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_releases")),
        sa.UniqueConstraint("app_server_id", name=op.f("uq_asset_releases_app_server_id")),
        sa.UniqueConstraint(
            "instance_id", "release", name=op.f("uq_asset_releases_instance_id_release")
        ),
    )
    op.create_index("ix_asset_releases_instance_id_id", "asset_releases", ["instance_id", "id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_table("asset_releases")
