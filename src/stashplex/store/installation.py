"""Who we are to Plex: one identifier for each installation, made once and kept with the data.

Plex lists every client identifier among the account's devices, so it must not change from run to run, and two
installations must not share one. Source: plex-wire.md 0.1.
"""

import random

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.store.database import Database
from stashplex.store.schema import cursor

_NAME = "client_identifier"
_FIND = select(cursor.c.value).where(cursor.c.name == _NAME)
_ADD = upsert(cursor).values(name=_NAME, value=bindparam("new_value")).on_conflict_do_nothing()


def client_identifier(database: Database, chance: random.Random) -> str:
    """Return the identifier of this installation, which is made when there is none. Raises: StoreError."""
    with database.read() as connection:
        found = connection.execute(_FIND).scalar_one_or_none()
    if found is not None:
        return str(found)
    with database.write() as connection:
        connection.execute(_ADD, {"new_value": f"stashplex-{chance.getrandbits(96):024x}"})
        return str(connection.execute(_FIND).scalar_one())
