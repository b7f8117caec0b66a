"""quarantine: why Liftlock took a host out of use, and when somebody last set its status

Runs beside the previous release: both columns may be empty.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "a61e0d94c5f7"
down_revision = "e58c1f0a7b24"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    reason = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("hosts", sa.Column("status_reason", reason, nullable=True))
    op.add_column("hosts", sa.Column("status_set_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("hosts", "status_set_at")
    op.drop_column("hosts", "status_reason")
