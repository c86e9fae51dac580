"""Plugin manifests: finding them below the plugins path, reading them strictly, building command lines.

Everything named `*.yml` is taken for a manifest. One unknown key and the whole plugin is missing from the list, with
no trace but a line in the log. Nothing here starts a process.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stashplex.sim.stash.log import Log
from stashplex.sim.stash.settings import Settings

_PYTHONS = ("python", "python3")
_INTERFACES = ("raw", "rpc", "js")
_TYPES = ("STRING", "NUMBER", "BOOLEAN")
_LEVELS = ("trace", "debug", "info", "warning", "error", "none")
_TOP = {
    "name", "description", "url", "version", "exec", "interface", "errLog", "tasks", "hooks", "settings", "ui",
}  # fmt: skip
_OPERATION = {"name", "description", "execArgs", "defaultArgs"}
_UI = {"javascript", "css", "assets", "requires", "csp"}


class ManifestInvalid(Exception):  # noqa: N818 - errors name the condition
    """The manifest cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A task, or a hook when `hooks` names triggers. Shape: default arguments are texts whatever the file says."""

    name: str
    description: str = ""
    exec_args: tuple[str, ...] = ()
    default_args: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that the plugin declares. It has no default."""

    name: str
    display_name: str
    description: str
    type: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin as its manifest describes it."""

    id: str
    directory: Path
    name: str
    description: str = ""
    url: str = ""
    version: str | None = None
    exec: tuple[str, ...] = ()
    interface: str = "raw"
    err_log: str = "error"
    tasks: tuple[Operation, ...] = ()
    hooks: tuple[Operation, ...] = ()
    settings: tuple[Setting, ...] = ()
    ui: Mapping[str, Any] = field(default_factory=dict)

    def is_python(self) -> bool:
        """Tell whether the command is a Python program by its name."""
        return bool(self.exec) and self.exec[0] in _PYTHONS

    def command(self, exec_args: tuple[str, ...], python_path: str, path: str | None) -> list[str]:
        """Return the command line. Shape: `path` is the PATH to look in. Raises: ManifestInvalid without `exec`."""
        if not self.exec:
            raise ManifestInvalid("empty exec value in operation")
        first = self._program(python_path, path)
        return [first, *(part.replace("{pluginDir}", str(self.directory)) for part in (*self.exec[1:], *exec_args))]

    def _program(self, python_path: str, path: str | None) -> str:
        name = self.exec[0]
        if self.is_python():
            if python_path and Path(python_path).is_file():
                return python_path
            return shutil.which("python3", path=path) or shutil.which("python", path=path) or name
        return shutil.which(name, path=path) or str(self.directory / name)


def read_manifest(file: Path) -> Plugin:
    """Return the plugin that a manifest describes. Raises: ManifestInvalid."""
    try:
        # BaseLoader makes texts, lists and maps only, so that `0.1` and `5` stay as they are written.
        content = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader builds no objects
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ManifestInvalid(str(error)) from error
    top = _mapping(content, _TOP, "manifest")
    return Plugin(
        id=file.stem,
        directory=file.parent,
        name=_text(top, "name") or file.stem,
        description=_text(top, "description"),
        url=_text(top, "url"),
        version=_text(top, "version") or None,
        exec=_texts(top, "exec"),
        interface=_one_of(_text(top, "interface") or "raw", _INTERFACES, "interface"),
        err_log=_one_of(_text(top, "errLog") or "error", _LEVELS, "errLog"),
        tasks=tuple(_operation(each, _OPERATION) for each in _list(top, "tasks")),
        hooks=tuple(_operation(each, _OPERATION | {"triggeredBy"}) for each in _list(top, "hooks")),
        settings=tuple(_setting(name, each) for name, each in _mapping(top.get("settings"), None, "settings").items()),
        ui=_mapping(top.get("ui"), _UI, "ui"),
    )


class Shelf:
    """The plugins of one server, in the order in which their hooks run."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.settings = settings
        self.log = log
        self.plugins: list[Plugin] = []

    def reload(self) -> None:
        """Read all manifests anew."""
        self.plugins = []
        for file in _manifests(self.settings.plugins_path):
            try:
                plugin = read_manifest(file)
            except ManifestInvalid as error:
                self.log.write("Error", f"Error loading plugin {file}: {error}")
                continue
            if any(known.id.lower() == plugin.id.lower() for known in self.plugins):
                self.log.write("Warning", f"Error loading plugin {file}: plugin ID {plugin.id} already exists")
                continue
            self.plugins.append(plugin)

    def find(self, plugin_id: str) -> Plugin | None:
        """Return the plugin with exactly this id, or None."""
        return next((plugin for plugin in self.plugins if plugin.id == plugin_id), None)

    def is_enabled(self, plugin: Plugin) -> bool:
        """Tell whether a person has left the plugin switched on."""
        return plugin.id not in self.settings.disabled

    def enabled(self) -> list[Plugin]:
        """Return the plugins that are switched on."""
        return [plugin for plugin in self.plugins if self.is_enabled(plugin)]


def describe(plugin: Plugin, base: str, *, is_enabled: bool) -> dict[str, Any]:
    """Return a plugin as the API shows it. Shape: `base` is the address that the caller used."""
    whole: dict[str, Any] = {
        "id": plugin.id,
        "name": plugin.name,
        "description": plugin.description,
        "url": plugin.url,
        "version": plugin.version,
        "enabled": is_enabled,
        "requires": list(plugin.ui.get("requires") or ()),
        "paths": {kind: _addresses(plugin, kind, base) for kind in ("javascript", "css")},
    }
    whole["tasks"] = [{"name": t.name, "description": t.description, "plugin": whole} for t in plugin.tasks]
    whole["hooks"] = [
        {"name": h.name, "description": h.description, "hooks": list(h.hooks), "plugin": whole} for h in plugin.hooks
    ]
    whole["settings"] = [
        {"name": s.name, "display_name": s.display_name, "description": s.description, "type": s.type}
        for s in plugin.settings
    ]
    return whole


def _addresses(plugin: Plugin, kind: str, base: str) -> list[str] | None:
    """Return the addresses of scripts or styles: those elsewhere, then one for all in the plugin's folder."""
    names = plugin.ui.get(kind)
    return [*(name for name in names if "://" in name), f"{base}/plugin/{plugin.id}/{kind}"] if names else None


def _manifests(root: Path | None) -> Iterator[Path]:
    """Yield what ends in `.yml` below a directory, in the order of a directory walk. Symbolic links are followed."""
    if root is None or not root.is_dir():
        return
    for each in sorted(root.iterdir()):
        if each.is_dir():
            yield from _manifests(each)
        elif each.suffix == ".yml":
            yield each


def _operation(content: Any, known: set[str]) -> Operation:
    given = _mapping(content, known, "operation")
    return Operation(
        name=_text(given, "name"),
        description=_text(given, "description"),
        exec_args=_texts(given, "execArgs"),
        default_args={k: _scalar(v, k) for k, v in _mapping(given.get("defaultArgs"), None, "defaultArgs").items()},
        hooks=_texts(given, "triggeredBy"),
    )


def _setting(name: str, content: Any) -> Setting:
    given = _mapping(content, {"displayName", "description", "type"}, name)
    kind = _one_of(_text(given, "type") or "STRING", _TYPES, "setting type")
    return Setting(name, _text(given, "displayName"), _text(given, "description"), kind)


def _mapping(content: Any, known: set[str] | None, where: str) -> dict[str, Any]:
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        message = f"cannot unmarshal {where}: not a map"
        raise ManifestInvalid(message)
    unknown = set(content) - known if known is not None else set()
    if unknown:
        message = f"field {min(unknown)} not found in {where}"
        raise ManifestInvalid(message)
    return content


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name) or []
    if not isinstance(found, list):
        message = f"cannot unmarshal {name}: not a list"
        raise ManifestInvalid(message)
    return found


def _texts(content: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_scalar(each, name) for each in _list(content, name))


def _text(content: Mapping[str, Any], name: str) -> str:
    return _scalar(content.get(name, ""), name)


def _scalar(value: Any, name: str) -> str:
    if not isinstance(value, str):
        message = f"cannot unmarshal {name} into string"
        raise ManifestInvalid(message)
    return value


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        message = f"invalid {what}: {value}"
        raise ManifestInvalid(message)
    return value
