"""The way from an older schema version to ours: Alembic, run without an ini file.

Called by `database` inside one write transaction, so a start that is killed leaves the old version whole.
Forward only: there is no downgrade.
"""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from stashplex.store.schema import REVISION


def migrate(connection: Connection) -> None:
    """Bring the schema to `REVISION` in the transaction of `connection`."""
    config = Config()
    config.set_main_option("script_location", "stashplex.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
