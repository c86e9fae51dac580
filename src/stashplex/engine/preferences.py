"""The settings that a person typed in Stash: asked of Stash, kept beside the store for when Stash does not answer.

With them comes Stash's API key, so that a plugin needs none to be typed. Not a setting's judge: that is
`base.layers`; a value that has gone wrong keeps company with the last good one.
Invariant: the copy is whole or as it was before, whatever happens, and for its owner alone.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stashplex.base.errors import ServerRefused, StoreError
from stashplex.base.layers import Check, typed_after
from stashplex.base.typed import STASH_SETTINGS_NAME, read_typed, render_typed
from stashplex.domain.pathmap import parse_path_map
from stashplex.engine import mapping_rules
from stashplex.stash.client import StashClient
from stashplex.stash.configuration import Configuration
from stashplex.store import folder

CHECKS: Mapping[str, Check] = {"path_map": parse_path_map, **mapping_rules.CHECKS}
"""What the model of the settings cannot judge by itself."""


class Preferences:
    """Copies what was typed in one Stash.

    Shape: `clients` are tried in turn while Stash refuses them: a key that is out of date is no reason to stop. With
    `keeps_key` the key that Stash tells is kept as well.
    """

    def __init__(self, data_dir: Path, stash_url: str, clients: Sequence[StashClient], *, keeps_key: bool) -> None:
        self._data_dir = data_dir
        self._stash_url = stash_url
        self._clients = clients
        self._keeps_key = keeps_key

    async def refresh(self) -> Configuration:
        """Ask Stash and renew the copy; nothing is written when nothing changed.

        Raises: ServerError, ProtocolError, StoreError (the folder cannot be written).
        """
        found = await self._asked()
        before = read_typed(self._data_dir, self._stash_url)
        after = typed_after(before, found.typed, found.api_key if self._keeps_key else "", CHECKS)
        path = self._data_dir / STASH_SETTINGS_NAME
        if after != before or not path.is_file():
            _write(path, render_typed(after, self._stash_url))
        return found

    async def _asked(self) -> Configuration:
        refused: ServerRefused | None = None
        for client in self._clients:
            try:
                return await client.configuration()
            except ServerRefused as error:
                refused = refused or error
        if refused is None:
            raise AssertionError("there is always a client")
        raise refused


def _write(path: Path, content: bytes) -> None:
    """Put a file in place at once, for its owner alone."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.make(path.parent)
        descriptor = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
        folder.sync(path.parent)
    except OSError as error:
        new.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{path} cannot be written: {reason}.", hint="Make the data folder writable.") from error
