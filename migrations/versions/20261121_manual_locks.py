"""manual locks: who placed one by hand, and what they say

Runs beside the previous release, whose statements name neither column.
"""

import sqlalchemy as sa
from alembic import op

revision = "8f2b6c93d1a4"
down_revision = "5c0a1e7d42b9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Claims write this table all the time: they shall not queue up behind a change that waits.
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.add_column("locks", sa.Column("message", sa.String(), nullable=True))
    op.add_column("locks", sa.Column("actor", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("locks", "actor")
    op.drop_column("locks", "message")
