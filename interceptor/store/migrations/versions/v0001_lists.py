"""The first tables: lists and their entries, changes, policies, the audit trail, credentials."""

from alembic import op

from interceptor.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
