"""What was sent once a day: reminders and early warnings."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sent",
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("until_ms", "key"),
        sqlite_with_rowid=False,
    )
