"""Jobs know the blobs that their steps hand to each other."""

import sqlalchemy as sa
from alembic import op

from lumikb.store.record import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("blobs", types.Json, nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("blobs")
