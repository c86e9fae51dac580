"""What writers left that were killed before they could name their file: the hook, above all, whose Stash goes away.

Such a file was never whole, or was written again under another name, so nobody misses it. Files are told by name, as a
data folder may be one that holds other things. Invariant: what may still be written is left alone.
"""

import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_DRAFT = re.compile(
    r"\.\d{16}-[\w-]+\.json(\.[0-9a-f]+)?"
    r"|\.(connection\.json|service\.json|stash-settings\.json|stopped|environment)\.[0-9a-f]+"
    r"|(service-elsewhere|\w+)\.json\.\d+\.new"
)
_FOLDERS = ("", "spool", "tasks")


def remove(data_dir: Path, before: datetime) -> int:
    """Remove what nobody has written to since a time; return how many files that were."""
    limit_s = before.timestamp()
    return sum(_remove_in(data_dir / name, limit_s) for name in _FOLDERS)


def _remove_in(folder: Path, limit_s: float) -> int:
    removed = 0
    with suppress(OSError), os.scandir(folder) as found:
        for one in found:
            with suppress(OSError):
                if _DRAFT.fullmatch(one.name) and one.stat(follow_symlinks=False).st_mtime < limit_s:
                    Path(one.path).unlink()
                    removed += 1
    return removed
