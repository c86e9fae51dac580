"""Builds dist/plugin: `stashplex.zip`, which Stash installs, and the `index.yml` that offers it.

Run by `make plugin`. Everything in the zip stands in `CONTENTS`; a test compares the list with the source tree, and
another installs the result. Invariant: the same commit gives the same bytes, whoever builds it wherever.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from stashplex.base.shown import SHOWN_IN_STASH
from stashplex.version import __version__

ROOT = Path(__file__).parents[1]
PLUGIN_ID = "stashplex"
DESCRIPTION = "Keeps a Plex library in step with this Stash: titles, people, tags, studios, dates, ratings, covers."

CONTENTS = {
    "hook.py": "src/stashplex/plugin/hook.py",
    "follow_up.py": "src/stashplex/plugin/follow_up.py",
    "contact.py": "src/stashplex/plugin/contact.py",
    "task.py": "src/stashplex/plugin/task.py",
    "install.py": "src/stashplex/plugin/install.py",
    "stashplex.js": "src/stashplex/plugin/ui/stashplex.js",
    "stashplex.css": "src/stashplex/plugin/ui/stashplex.css",
    "requirements.txt": "requirements/run.txt",
    "LICENSE": "LICENSE",
}
"""Name in the zip → file of the source tree. Beside them there are the manifest and the wheel, which are made here.

All names are flat: Stash removes the files of a package and then its folder, but no folder inside it.
"""

TASKS = (
    ("Install or upgrade the service", "install", "Makes the service's private Python environment, then starts it."),
    ("Test connection", "test", "Asks Stash and Plex, and explains each setting that does not fit."),
    ("Plan (dry run)", "plan", "Says in the log what a sync would write; writes nothing to Plex."),
    ("Sync all", "sync_all", "Brings every scene in step."),
    ("Sync recent", "sync_recent", "Brings in step what was changed in the last 24 hours."),
    ("Force full re-push", "repush_all", "Writes every scene again, also those that are in step."),
    ("Status", "status", "Says in the log how many scenes are in step, waiting, or need you."),
    ("Retry dead letters", "retry_dead", "Tries again all scenes that need a person."),
    ("Clear pending", "clear_pending", "Forgets what waits to be written. The next sync finds it again."),
    ("Clear dead letters", "clear_dead", "Dismisses all scenes that need a person."),
    ("Purge old dead letters", "purge_dead", "Removes dismissed dead letters for good."),
    ("Reset circuit breaker", "reset_breaker", "Asks a server again at once that was left alone after failures."),
    ("Outage report", "outages", "Says when Plex or Stash could not be used."),
    ("Rebuild Plex index", "rebuild_index", "Reads anew which files Plex has."),
    ("Reconcile everything", "reconcile_all", "Compares every scene with Plex and mends what differs."),
    ("Reconcile the last 7 days", "reconcile_7d", "The same for scenes changed in the last 7 days."),
    ("Reconcile the last 24 hours", "reconcile_24h", "The same for scenes changed in the last 24 hours."),
    ("Reconcile missing only", "reconcile_missing", "The same for scenes that never arrived in Plex."),
    ("Start service", "start_service", "Starts the service in the background; each saved scene does so too."),
    ("Stop service", "stop_service", "Ends the service after what it is just writing."),
    ("Support bundle", "support_bundle", "Packs versions, settings without secrets, and the last log lines."),
)
"""Name, mode, description. The modes are those of `task.py`."""

HOOKED = {
    "Scene": ("Create", "Update", "Destroy", "Merge"),
    "Performer": ("Create", "Update", "Destroy", "Merge"),
    "Studio": ("Create", "Update", "Destroy", "Merge"),
    "Tag": ("Create", "Update", "Destroy", "Merge"),
    "Group": ("Create", "Update", "Destroy", "Merge"),
    "Movie": ("Create", "Update", "Destroy"),
    "Gallery": ("Create", "Update", "Destroy"),
}
"""What is listened to. A trigger that a version of Stash does not know never fires and does no harm."""


def manifest() -> dict[str, Any]:
    """Return what Stash reads: how the plugin is run, when, and what is shown of it."""
    return {
        "name": PLUGIN_ID,
        "description": DESCRIPTION,
        "version": __version__,
        "exec": ["python", "-I", "-S", "-E", "{pluginDir}/hook.py"],
        "interface": "raw",
        "errLog": "warning",
        "ui": {"javascript": ["stashplex.js"], "css": ["stashplex.css"]},
        "tasks": [
            {"name": name, "description": description, "defaultArgs": {"mode": mode}}
            for name, mode, description in TASKS
        ],
        "hooks": [{"name": "Changes", "description": "Notes what was changed.", "triggeredBy": triggers()}],
        "settings": settings(),
    }


def triggers() -> list[str]:
    """Return every trigger, each once."""
    return [f"{what}.{event}.Post" for what, events in HOOKED.items() for event in events]


def settings() -> dict[str, dict[str, str]]:
    """Return the settings that are shown in Stash."""
    return {
        each.key: {"displayName": each.display_name, "description": each.description, "type": str(each.kind)}
        for each in SHOWN_IN_STASH
    }


def built_at() -> datetime:
    """Return the moment that everything built is dated with: SOURCE_DATE_EPOCH, else the last commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH")  # noqa: TID251 - the agreed way to pass a date to a build
    if not given:
        line = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own words
    return datetime.fromtimestamp(int(given), UTC)


def wheel(folder: Path, moment: datetime) -> Path:
    """Build the wheel into a folder and return it."""
    line = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    dated = {**os.environ, "SOURCE_DATE_EPOCH": f"{moment.timestamp():.0f}"}  # noqa: TID251 - a child inherits it
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True, env=dated)  # noqa: S603 - our own words
    (built,) = folder.glob("*.whl")
    return built


def files(moment: datetime) -> dict[str, bytes]:
    """Return everything that goes into the zip, by name."""
    content = {name: (ROOT / source).read_bytes() for name, source in CONTENTS.items()}
    text = yaml.safe_dump(manifest(), sort_keys=False, allow_unicode=True, width=120)
    content[f"{PLUGIN_ID}.yml"] = f"# stashplex {__version__}. This file is generated.\n{text}".encode()
    with tempfile.TemporaryDirectory() as folder:
        built = wheel(Path(folder), moment)
        content[built.name] = built.read_bytes()
    return dict(sorted(content.items()))


def build(target: Path) -> Path:
    """Build zip and index into a folder and return the index."""
    moment = built_at()
    target.mkdir(parents=True, exist_ok=True)
    bundle = target / f"{PLUGIN_ID}.zip"
    with zipfile.ZipFile(bundle, "w") as writing:
        for name, content in files(moment).items():
            entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
            entry.create_system = 3  # the same on every system
            entry.external_attr = 0o100644 << 16
            # The wheel is packed already, and unpacked texts are the same whichever library would pack them.
            entry.compress_type = zipfile.ZIP_STORED
            writing.writestr(entry, content)
    index = target / "index.yml"
    index.write_text(yaml.safe_dump([_offer(bundle.read_bytes(), moment)], sort_keys=False, width=120), "utf-8")
    return index


def _offer(bundle: bytes, moment: datetime) -> dict[str, Any]:
    return {
        "id": PLUGIN_ID,
        "name": PLUGIN_ID,
        "version": __version__,
        "date": f"{moment:%Y-%m-%d %H:%M:%S}",
        "path": f"{PLUGIN_ID}.zip",
        "sha256": hashlib.sha256(bundle).hexdigest(),
        "requires": [],
        "metadata": {"description": DESCRIPTION},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "dist" / "plugin")
    print(f"built: {build(parser.parse_args().target)}")
