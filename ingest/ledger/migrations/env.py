"""Alembic's entry: runs the revisions on the connection that ``ingest.ledger.files`` hands over."""

from alembic import context

from ingest.ledger.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
