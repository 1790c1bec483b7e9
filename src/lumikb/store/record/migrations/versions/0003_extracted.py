"""What a version tells about itself, and the part of it that filters look at."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("extracted_date", types.UtcDateTime(), nullable=True))
    op.add_column("documents", sa.Column("language", sa.String(length=8), nullable=True))
    op.add_column("documents", sa.Column("author", sa.String(length=300), nullable=True))
    op.create_index(op.f("ix_documents_kb_id_language"), "documents", ["kb_id", "language"])
    op.add_column("document_versions", sa.Column("extracted", types.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("document_versions", "extracted")
    op.drop_index(op.f("ix_documents_kb_id_language"), "documents")
    for column in ("author", "language", "extracted_date"):
        op.drop_column("documents", column)
