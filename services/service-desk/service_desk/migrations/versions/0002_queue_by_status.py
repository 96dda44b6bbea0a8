"""the queue is read by status: without one, the plan for any status read past all that is resolved"""

from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# Also of the versions that a rebuild has made, whose indexes have other names.
_DROP = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT indexname FROM pg_indexes
                 WHERE schemaname = current_schema() AND tablename ~ '^complaint_queue_[0-9]+$'
                   AND indexdef LIKE '%USING btree (reply_due_at, id)'
    LOOP
        EXECUTE format('DROP INDEX %I', found.indexname);
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(_DROP)


def downgrade() -> None:
    op.create_index(op.f('ix_complaint_queue_1_reply_due_at_id'), 'complaint_queue_1', ['reply_due_at', 'id'], unique=False)
