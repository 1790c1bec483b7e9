"""What users searched for."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "search_history",
        sa.Column("id", types.BigKey, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("query", sa.String(500), nullable=False),
        sa.Column("kb_ids", types.Json, nullable=True),
        sa.Column("result_count", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_search_history_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_history")),
    )
    op.create_index(op.f("ix_search_history_user_id_id"), "search_history", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("search_history")
