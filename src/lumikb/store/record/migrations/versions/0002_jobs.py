"""Jobs know the blobs that their steps hand to each other and what they did, and are found by their turn."""

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
        jobs.add_column(sa.Column("attempts_at_step", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("result", types.Json, nullable=True))
        jobs.drop_index(op.f("ix_jobs_dispatched_at_not_before"))
        jobs.create_index(op.f("ix_jobs_dispatched_at_priority_id"), ["dispatched_at", "priority", "id"])


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index(op.f("ix_jobs_dispatched_at_priority_id"))
        jobs.create_index(op.f("ix_jobs_dispatched_at_not_before"), ["dispatched_at", "not_before"])
        jobs.drop_column("result")
        jobs.drop_column("attempts_at_step")
        jobs.drop_column("blobs")
