"""What Alembic runs: the steps that are missing, on the connection and in the transaction that it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # SQLite too: nothing of a step that fails stays
)
context.run_migrations()
