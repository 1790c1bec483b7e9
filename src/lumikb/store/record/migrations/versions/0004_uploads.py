"""Direct uploads, and the sealed secret of a job."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kb_id", sa.String(36), nullable=False),
        sa.Column("filename", sa.String(1024), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("tags", types.Json, nullable=False),
        sa.Column("metadata", types.Json, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("blob_sha256", sa.String(64), nullable=True),
        sa.Column("document_id", sa.String(36), nullable=True),
        sa.Column("duplicate", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(36), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_uploads_kb_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_uploads_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    for column in ("expires_at", "blob_sha256", "created_by"):
        op.create_index(op.f(f"ix_uploads_{column}"), "uploads", [column])
    op.add_column("jobs", sa.Column("sealed", types.Bytes(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("sealed")
    op.drop_table("uploads")
