"""Writes the generated reference pages: docs/reference/settings.md from the settings model.

Run by `make docs`; a test compares the page with the model, so the two never part.
"""

from pathlib import Path
from typing import Any

from stashplex.base.config import CONFIG_VARIABLE, PREFIX, Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"

HEAD = f"""# Settings

Each setting has one name everywhere: in the environment, on the plugin's page in Stash, in a TOML file. The strongest
place where it is set decides:

1. the environment: `{PREFIX}` and the name in capitals;
2. typed in Stash: Settings, Plugins. Empty text means that nothing is set, and so does 0 where 0 makes no sense;
3. the file: `config.toml` in the user's configuration folder (`~/.config/stashplex/` on Linux), or the one that
   `--config` or `{CONFIG_VARIABLE}` names;
4. for the address of Stash and the way in, what Stash told the plugin;
5. the default.

`stashplex config` shows where each value comes from, `stashplex config check` tests them. An unknown key is an error
in the environment and in the file, and a warning in Stash, where another version of the plugin may have left it.
Where the data is and which Stash is asked (`data_dir`, `allow_network_store`, `stash_url`, `stash_api_key`) cannot be
typed in Stash. This page is generated: `make docs`.

| key | environment variable | kind | default | meaning |
|---|---|---|---|---|
"""

FOOT = """
A list in the environment is written with commas: `STASHPLEX_PLEX_LIBRARY="Films, Other videos"`.

## While the service runs

`stashplex serve` reads all of this again once a minute, asks Stash what was typed there, and goes on with good new
settings at once, without losing anything. A wrong value stops nothing: the last good one stays in use, and the log
says once what is wrong. Commands that are started by hand end with the error instead. A service that was started by
the plugin waits for a token or a library that is missing.

## The way into Stash

The plugin needs no API key to be typed. Stash gives it a session with each event; with that the service fetches
Stash's API key, once there is one (Stash: Settings, Security), and keeps it in the data folder. A Stash with a login
and without a key lets the service in until an hour after the last save. A key or a session is only ever sent to the
Stash that gave it.

A certificate that a server signed for itself is refused unless `stash_verify_tls` or `plex_verify_tls` is off. When
Stash told the plugin an https address of the same machine, its certificate is not checked unless `stash_verify_tls`
is on.

## The path map

Stash and Plex often see the same files under different folders, above all in containers. The path map says which folder
is which: `/stash/folder=/plex/folder`, several of them separated by semicolons. The first rule that fits decides.

```sh
STASHPLEX_PATH_MAP='/data=/mnt/media/stash; /data2/old=/mnt/archive'
```

`/data` says nothing about `/database`: a rule fits whole folder names only. Windows paths and shares work on either
side (`D:\\videos=/mnt/videos`); on them case means nothing, elsewhere it does, unless `stash_path_case` or
`plex_path_case` says otherwise. A path that no rule fits is looked for as it is.

A rule that begins with `re:` is a regular expression over Stash's path, with `/` between folders on every system. It
fits at the start of the path, what is behind the fit stays, and the last `=` divides it from its replacement:
`re:/disk(\\d+)/=/mnt/d\\1/` turns `/disk3/a/b.mkv` into `/mnt/d3/a/b.mkv`. A value of several lines has a rule on each
line instead of semicolons, and in the file a list of rules is fine too, one text each:

```toml
path_map = ['/data=/mnt/media/stash', 're:/disk(\\d+)/=/mnt/d\\1/']
```

Rules that can never be reached, expressions that are none and groups that do not exist are errors that name the rule.
`stashplex paths suggest` proposes a path map from the files of both servers, `stashplex paths test PATH` tries the one
in use. How files are matched beyond the path map: [matching](matching.md).

## A file

```toml
stash_url = "http://localhost:9999"
stash_api_key = "…"
plex_url = "http://localhost:32400"
plex_token = "…"
plex_library = ["Films"]
path_map = "/data=/mnt/media/stash"
```
"""


def render() -> str:
    """Return the page about settings."""
    return HEAD + "".join(_row(key, shape) for key, shape in _properties().items()) + FOOT


def _properties() -> dict[str, dict[str, Any]]:
    return dict(Settings.model_json_schema()["properties"])


def _row(key: str, shape: dict[str, Any]) -> str:
    description = shape["description"].replace("|", "\\|")
    return f"| `{key}` | `{PREFIX}{key.upper()}` | {_kind(shape)} | {_default(key, shape)} | {description} |\n"


def _kind(shape: dict[str, Any]) -> str:
    if shape.get("format") == "password":
        return "secret"
    if shape.get("format") == "path":
        return "folder"
    kind = {"string": "text", "array": "list", "integer": "number", "number": "number", "boolean": "true or false"}
    bounds = [shape.get(name) for name in ("minimum", "maximum")]
    lowest = f"more than {shape['exclusiveMinimum']:g}" if "exclusiveMinimum" in shape else None
    if bounds[1] is None and bounds[0] is None and lowest is None:
        return kind[shape["type"]]
    low = lowest or (None if bounds[0] is None else f"{bounds[0]:g}")
    high = None if bounds[1] is None else f"{bounds[1]:g}"
    return f"{kind[shape['type']]}, {' to '.join(bound for bound in (low, high) if bound is not None)}"


def _default(key: str, shape: dict[str, Any]) -> str:
    if key == "data_dir":
        return "the user's data folder"
    default = shape.get("default")
    if default in ("", [], None):
        return "-"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(PAGE.parents[2])}")
