"""Direct uploads keep the date that a user gives a document, and the warnings about its name."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("document_date", types.UtcDateTime(), nullable=True))
    op.add_column("uploads", sa.Column("warnings", types.Json, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("uploads", "warnings")
    op.drop_column("uploads", "document_date")
