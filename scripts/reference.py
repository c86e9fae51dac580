"""Writes the generated reference pages: settings from their model, the mapping from the table that the tests run.

Run by `make docs`; a test compares the pages with what they are made of, so that they never part.
"""

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stashplex.base.config import CONFIG_VARIABLE, PREFIX, Settings

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

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

## What goes where

Filters, templates, rules about tags, collections, and tables for single libraries: [mapping](mapping.md).

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


MOST_NAMES = 6

MAPPING_HEAD = """# Mapping

What an item in Plex shows, made of a scene in Stash. The tables below are run as tests; each row names only what it
is about: fields of the scene, [settings](settings.md) that differ from the default, and what Plex shows then. This
page is generated: `make docs`.

- **On and off.** What a newcomer gets: title, sort title, summary, studio, date, user rating, genres, actors,
  directors, the studio as a collection, the poster. Original title, tagline, content rating, critic rating, labels
  and writers are written once a setting says what they hold. `fields_off` leaves fields alone, by the names in this
  list: `title, sort_title, original_title, summary, tagline, studio, date, content_rating, user_rating,
  critic_rating, genres, labels, actors, directors, writers, collections, poster`.
- **Left alone or empty.** What Stash was not asked for, or cannot be read, is left alone in Plex; what is known to
  be empty takes back what was written. What people added to a list in Plex stays, labels and collections too.
- **Templates.** Names in braces stand for values of the scene: `{title}` (or the readable name of the file),
  `{studio}`, `{parent_studio}`, `{performers}`, `{tags}`, `{director}`, `{date}`, `{year}`, `{code}`, `{group}`,
  `{filename}`, `{id}`. What has no value goes together with the brackets around it or the separator beside it. `{{`
  and `}}` are braces.
- **Rules** are separated by semicolons or lines. A rule is a name (case does not matter), `id:12` for Stash's
  number, `below:NAME` for whatever is somewhere under it, four levels deep, or `re:EXPRESSION`, found anywhere in
  the name. Where a rule gives something, it is `RULE=VALUE` and the first one that fits decides; in a rename, an
  expression replaces what it fits, with `\\1` for its groups.
- **Limits.** Titles, names and taglines have at most 255 characters, summaries 10,000, and less where the address
  of one request has no room; what is cut ends in an ellipsis. A list has at most 100 names, or as many as
  `genre_limit` and `actor_limit` say, the most specific first: tags, then those above them, then those of
  performers.
- **After a change of these settings** run `stashplex sync` once, or *Sync all* in Stash: a scene is mapped anew
  when it is looked at.

One library can have its own rules. Any setting of this page fits into its table in the file, and nothing else does:

```toml
genre_exclude = "re:^[[]; To do"
filter_organized = true

[library."Clips"]
filter_organized = false
title_template = "{studio} - {title}"
```
"""

FILTER_HEAD = """
## Filters

A scene that a filter keeps out is settled without a request to Plex: nothing is written, and nothing that was
written is taken back. `stashplex why` and `stashplex plan` say which setting keeps it out. Where several filters
are set, a scene must pass all of them. Studios count with those above them; a folder counts with those below it, as
Stash sees it.

| in Stash | set | the scene |
|---|---|---|
"""

WRONG_HEAD = """
## Refused

Each of these is an error when it is set, with the name of the setting and a hint.

| set | told |
|---|---|
"""


def render() -> str:
    """Return the page about settings."""
    return HEAD + "".join(_row(key, shape) for key, shape in _properties().items()) + FOOT


def _properties() -> dict[str, dict[str, Any]]:
    return dict(Settings.model_json_schema()["properties"])


def _row(key: str, shape: dict[str, Any]) -> str:
    description = shape["description"].replace("|", "\\|")
    shape = shape | {"type": shape.get("type", "string")}
    return f"| `{key}` | `{PREFIX}{key.upper()}` | {_kind(shape)} | {_default(key, shape)} | {description} |\n"


def _kind(shape: dict[str, Any]) -> str:
    if shape.get("format") == "password":
        return "secret"
    if shape.get("format") == "path":
        return "folder"
    kind = {"string": "text", "array": "list", "integer": "number", "number": "number", "boolean": "true or false"}
    kind["object"] = "table, in the file"
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
    if default in ("", [], {}, None):
        return "-"
    if isinstance(default, list):
        return f"`{', '.join(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def render_mapping() -> str:
    """Return the page about the mapping."""
    truth = _truth()
    parts = [MAPPING_HEAD]
    for name, cases in truth.TRUTH.items():
        parts.append(f"\n## {name}\n\n| in Stash | set | in Plex |\n|---|---|---|\n")
        parts += [f"| {_scene(one.scene)} | {_set(one.settings)} | {_shown(one.shown)} |\n" for one in cases]
    parts.append(FILTER_HEAD)
    parts += [
        f"| {_scene(one.scene)} | {_set(one.settings)} | {one.reason or 'is kept in step'} |\n" for one in truth.FILTERS
    ]
    parts.append(WRONG_HEAD)
    parts += [f"| {_set(one.settings)} | … {_cell(one.told)} … |\n" for one in truth.WRONG]
    return "".join(parts)


def _truth() -> Any:
    path = Path(__file__).parents[1] / "tests" / "mapping_truth.py"
    spec = importlib.util.spec_from_file_location("mapping_truth", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _scene(fields: Mapping[str, object]) -> str:
    told = {key: value for key, value in fields.items() if key != "more"}
    more = fields.get("more")
    if more is not None:
        told |= _told(more)
    return "; ".join(f"{key}: {_value(value)}" for key, value in told.items()) or "anything"


def _told(more: Any) -> dict[str, object]:
    """Return the details of a scene in a few words."""
    told: dict[str, object] = {}
    if more.tags:
        told["tags"] = tuple(map(_above, more.tags))
    if more.studio:
        told["studio"] = _above(more.studio)
    if more.performers:
        told["performers"] = tuple(map(_performer, more.performers))
        tags = {one.entity.name: one.tags for one in more.performers if one.tags}
        told |= {f"tags of {name}": tuple(tag.name for tag in some) for name, some in tags.items()}
    for key in ("groups", "urls", "stash_ids"):
        if getattr(more, key):
            told[key] = getattr(more, key)
    told |= {f"custom field {key}": value for key, value in more.custom_fields.items()}
    return told


def _performer(one: Any) -> str:
    facts = ", ".join(filter(None, (one.gender.lower(), "favourite" if one.is_favorite else "")))
    return f"{one.entity.name} ({facts})" if facts else str(one.entity.name)


def _above(entity: Any) -> str:
    number = "" if entity.id is None else f" (id {entity.id})"
    return " < ".join((f"{entity.name}{number}", *(one.name for one in entity.above)))


def _set(settings: Mapping[str, object]) -> str:
    return "<br>".join(f"`{key} = {_cell(_long(str(value)))}`" for key, value in settings.items()) or "-"


def _shown(shown: Mapping[str, object]) -> str:
    return "<br>".join(f"{key}: {'left alone' if value is None else _value(value)}" for key, value in shown.items())


def _value(value: object) -> str:
    if value is None or value in ("", (), frozenset()):
        return "empty"
    if isinstance(value, tuple | frozenset):
        names = sorted(value) if isinstance(value, frozenset) else list(value)
        more = f" … ({len(names)} in all)" if len(names) > MOST_NAMES else ""
        return ", ".join(f"`{_cell(_long(name))}`" for name in names[:MOST_NAMES]) + more
    return f"`{_cell(_long(str(value)))}`"


def _long(text: str) -> str:
    """Return a text as the page shows it: a run of one letter is counted."""
    return re.sub(r"(x)\1{12,}", lambda run: f"{run[1]} * {len(run[0])} ", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\r", "").replace("\x00", "␀").replace("\n", "⏎")


if __name__ == "__main__":
    for page, text in (("settings.md", render()), ("mapping.md", render_mapping())):
        (REFERENCE / page).write_text(text, encoding="utf-8")
        print(f"written: docs/reference/{page}")
