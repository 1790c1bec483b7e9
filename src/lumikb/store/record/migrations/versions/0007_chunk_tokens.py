"""Token vectors of passages, in a table of their own: only a search's best passages are read with them."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chunk_tokens",
        sa.Column("chunk_key", types.BigKey, autoincrement=False, nullable=False),
        sa.Column("tokens", types.Bytes, nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_key"], ["chunks.key"], name=op.f("fk_chunk_tokens_chunk_key_chunks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("chunk_key", name=op.f("pk_chunk_tokens")),
    )


def downgrade() -> None:
    op.drop_table("chunk_tokens")
