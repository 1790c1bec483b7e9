"""Chunk sets know the reprocessing that they belong to, and the set that they wait to take over from."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


# Not in a batch: on SQLite that copies the table and drops the old one, and the drop takes the chunks with it.
def upgrade() -> None:
    op.add_column("chunk_sets", sa.Column("job_id", types.Id, nullable=True))
    op.add_column("chunk_sets", sa.Column("replaces_id", types.Id, nullable=True))
    op.create_index(op.f("ix_chunk_sets_job_id_replaces_id"), "chunk_sets", ["job_id", "replaces_id"], unique=True)
    op.create_index(op.f("ix_chunk_sets_document_id"), "chunk_sets", ["document_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_chunk_sets_document_id"), "chunk_sets")
    op.drop_index(op.f("ix_chunk_sets_job_id_replaces_id"), "chunk_sets")
    op.drop_column("chunk_sets", "replaces_id")
    op.drop_column("chunk_sets", "job_id")
