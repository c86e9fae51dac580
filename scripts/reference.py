"""Writes the generated reference pages: docs/reference/settings.md from the settings model.

Run by `make docs`; a test compares the page with the model, so the two never part.
"""

from pathlib import Path
from typing import Any

from stashplex.base.config import CONFIG_VARIABLE, PREFIX, Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"

HEAD = f"""# Settings

Each setting is a key of a TOML file and an environment variable; the environment wins. The file is `config.toml` in the
user's configuration folder (`~/.config/stashplex/` on Linux), or the one that `--config` or `{CONFIG_VARIABLE}` names.
A key that is not in this table is an error, in both places. This page is generated: `make docs`.

| key | environment variable | kind | default | meaning |
|---|---|---|---|---|
"""

FOOT = """
A list in the environment is written with commas: `STASHPLEX_PLEX_LIBRARY="Films, Other videos"`.

## The path map

Stash and Plex often see the same files under different folders, above all in containers. The path map says which folder
is which: `/stash/folder=/plex/folder`, several of them separated by semicolons. The first rule that fits decides.

```sh
STASHPLEX_PATH_MAP='/data=/mnt/media/stash; /data2/old=/mnt/archive'
```

`/data` says nothing about `/database`: a rule fits whole folder names only. Windows paths work on either side
(`D:\\videos=/mnt/videos`). A path that no rule fits is looked for as it is. A file that is found by neither is looked
for by its name and its size in bytes together; a name alone is never enough.

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
