"""Alembic's entry: runs the migrations on the connection the hub hands over, inside the hub's own transaction."""

from alembic import context
from sqlmodel import SQLModel

import hub.store.push_tables
import hub.store.tables

__all__ = ["metadata"]

metadata = SQLModel.metadata
assert hub.store.tables  # noqa: S101 - importing it fills the metadata
assert hub.store.push_tables  # noqa: S101

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
