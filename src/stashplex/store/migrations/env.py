"""What Alembic runs: the migrations, on the connection and in the transaction that `store.migration` hands over.

Not imported by the program. It knows no ini file, no address of a database and no offline mode.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
