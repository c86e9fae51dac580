"""What is set where: the environment, then Stash's page, then the file, then what the plugin was told, then defaults.

Each setting is taken from the first layer that has a usable value, and remembers which one that was. An unknown key
in the file or in the environment is an error that names the nearest known key; typed in Stash, where another version
of the plugin may have left it, it is a warning.
Invariants: where the data is and which Stash is asked never depend on what Stash says. No message shows a value.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from stashplex.base.config import CONFIG_VARIABLE, PREFIX, Settings, default_config_file, environment
from stashplex.base.errors import ConfigError
from stashplex.base.typed import NOT_TYPED, Connection, TypedInStash, is_loopback, meant, read_connection, read_typed

Check = Callable[[str], object]
"""Looks at a text closer than the model can. Raises: ConfigError."""

IN_STASH = "typed in Stash"


class Source(StrEnum):
    """The layers, the strongest first."""

    ENVIRONMENT = "environment"
    STASH = "stash"
    FILE = "file"
    CONNECTION = "connection"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from. Shape: `where` is a variable, a path, or a few words."""

    source: Source
    where: str


DEFAULT = Origin(Source.DEFAULT, "default")
_TOLD = Origin(Source.CONNECTION, "told by the plugin")
_TYPED = Origin(Source.STASH, IN_STASH)
_ASKED = Origin(Source.STASH, "asked of Stash")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something set that cannot be used. Shape: `message` and `hint` are sentences without the value.

    `is_error` is False when it changes nothing; `is_covered` tells that the last good value of it is in use.
    """

    key: str
    origin: Origin
    message: str
    hint: str
    is_error: bool = True
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, where each came from, and what is wrong. Shape: `origins` has every key."""

    settings: Settings
    origins: Mapping[str, Origin]
    problems: tuple[Problem, ...] = ()

    def required(self) -> Settings:
        """Return the settings if nothing is wrong. Raises: ConfigError."""
        return self._unless(lambda problem: problem.is_error)

    def usable(self) -> Settings:
        """Return the settings if whatever is wrong was right before: a service goes on with that.

        Raises: ConfigError.
        """
        return self._unless(lambda problem: problem.is_error and not problem.is_covered)

    def _unless(self, is_fatal: Callable[[Problem], bool]) -> Settings:
        for problem in self.problems:
            if is_fatal(problem):
                raise ConfigError(problem.message, hint=problem.hint)
        return self.settings


@dataclass(frozen=True, slots=True)
class _Layer:
    values: Mapping[str, object]
    origin: Callable[[str], Origin]


def load(
    config_file: Path | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    checks: Mapping[str, Check] | None = None,
) -> Loaded:
    """Return the settings of all layers.

    Shape: `config_file` None means `STASHPLEX_CONFIG`, else the default file when it exists; `variables` None means
    those of this process. Raises: ConfigError for a missing or unreadable file, an unknown key in the file or the
    environment, or a folder that cannot be one. Whatever else is wrong is among the problems.
    """
    found = environment() if variables is None else variables
    named = config_file or (Path(found[CONFIG_VARIABLE]) if found.get(CONFIG_VARIABLE) else None)
    by_hand = (_environment_layer(found), _file_layer(named))
    merging = _Merging(checks or {})
    data_dir = merging.place("data_dir", by_hand, TypedInStash()).data_dir
    connection = read_connection(data_dir)
    told = _Layer({} if connection is None else {"stash_url": connection.url}, lambda _key: _TOLD)
    stash_url = merging.place("stash_url", (*by_hand, told), TypedInStash()).stash_url
    typed = read_typed(data_dir, stash_url)
    return merging.merged(by_hand, told, typed, connection)


class _Merging:
    """Takes each key from the first layer that has a usable value for it, and notes what is wrong."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def place(self, key: str, layers: tuple[_Layer, ...], typed: TypedInStash) -> Settings:
        """Return settings in which this one key is right. Raises: ConfigError for a data folder that cannot be one."""
        value, _, problems = self._chosen(key, layers, typed)
        if problems and key == "data_dir":
            raise ConfigError(problems[0].message, hint=problems[0].hint)
        return Settings.model_validate({} if value is None else {key: value})

    def merged(
        self, by_hand: tuple[_Layer, _Layer], told: _Layer, typed: TypedInStash, connection: Connection | None
    ) -> Loaded:
        """Return all settings."""
        variables, file = by_hand
        in_stash = _Layer({key: one for key, one in typed.settings.items() if key not in NOT_TYPED}, lambda _: _TYPED)
        asked = _Layer({"stash_api_key": typed.api_key} if typed.api_key else {}, lambda _: _ASKED)
        values: dict[str, object] = {}
        origins: dict[str, Origin] = {}
        problems: list[Problem] = list(_unknown(typed))
        for key in Settings.model_fields:
            value, origin, wrong = self._chosen(key, (variables, in_stash, file, told, asked), typed)
            origins[key] = origin
            problems += wrong
            if value is not None:
                values[key] = value
        if connection is not None and origins["stash_url"] == _TOLD and origins["stash_verify_tls"] == DEFAULT:
            values["stash_verify_tls"] = not is_loopback(connection.url)
            origins["stash_verify_tls"] = _TOLD
        return Loaded(Settings.model_validate(values), origins, tuple(problems))

    def _chosen(
        self, key: str, layers: tuple[_Layer, ...], typed: TypedInStash
    ) -> tuple[object, Origin, tuple[Problem, ...]]:
        """Return the value of a key (None for its default), its origin, and what is wrong above it."""
        problems: list[Problem] = []
        is_decided = False
        chosen: tuple[object, Origin] = (None, DEFAULT)
        for layer in layers:
            if key not in layer.values:
                continue
            origin = layer.origin(key)
            try:
                value = self.checked(key, layer.values[key], origin)
            except _WrongError as error:
                last_good = None if is_decided else self._last_good(key, origin, typed)
                if last_good is not None:
                    chosen = (last_good, Origin(Source.STASH, "typed in Stash before"))
                problems.append(_problem(key, origin, error, is_error=not is_decided, is_covered=last_good is not None))
                is_decided = is_decided or last_good is not None
                continue
            if value is not None and not is_decided:
                is_decided, chosen = True, (value, origin)
        return (*chosen, tuple(problems))

    def _last_good(self, key: str, origin: Origin, typed: TypedInStash) -> object:
        if origin != _TYPED or key not in typed.last_good:
            return None
        try:
            return self.checked(key, typed.last_good[key], origin)
        except _WrongError:
            return None

    def checked(self, key: str, value: object, origin: Origin) -> object:
        """Return a value that the model takes, None when nothing is set. Raises: _WrongError."""
        try:
            meaning = meant(key, value) if origin == _TYPED else value
            if meaning is None:
                return None
            right = getattr(Settings.model_validate({key: meaning}), key)
            if key in self._checks:
                self._checks[key](right)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise _WrongError(first["msg"].removeprefix("Value error, ")) from None
        except ConfigError as error:
            raise _WrongError(f"is wrong: {error}".rstrip("."), error.hint) from None
        except ValueError as error:
            raise _WrongError(str(error)) from None
        return meaning


class _WrongError(Exception):
    """A value that cannot be used. Never leaves this module."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def typed_after(
    before: TypedInStash, settings: Mapping[str, object], api_key: str, checks: Mapping[str, Check]
) -> TypedInStash:
    """Return what is typed now, and what each value was that has gone wrong since."""
    merging = _Merging(checks)

    def is_good(key: str, values: Mapping[str, object]) -> bool:
        try:
            return merging.checked(key, values[key], _TYPED) is not None
        except _WrongError:
            return False

    last_good: dict[str, object] = {}
    for key in settings.keys() & Settings.model_fields.keys():
        try:
            merging.checked(key, settings[key], _TYPED)
        except _WrongError:
            for values in (before.settings, before.last_good):
                if key in values and is_good(key, values):
                    last_good[key] = values[key]
                    break
    return TypedInStash(settings, last_good, api_key)


def _problem(key: str, origin: Origin, error: _WrongError, *, is_error: bool, is_covered: bool) -> Problem:
    reason = error.reason.removeprefix("Input ")
    reason = reason[:1].lower() + reason[1:]
    hint = error.hint or f"{Settings.model_fields[key].description}"
    return Problem(key, origin, f"The setting {key} ({origin.where}) {reason}.", hint, is_error, is_covered)


def _unknown(typed: TypedInStash) -> Iterator[Problem]:
    """Yield a warning for each key typed in Stash that means nothing here."""
    for key in sorted(typed.settings):
        if key in NOT_TYPED:
            hint = f"Set {PREFIX}{key.upper()}, or write it into the settings file."
            message = f"The setting {key} has no effect when it is {IN_STASH}."
            yield Problem(key, _TYPED, message, hint, is_error=False)
        elif key not in Settings.model_fields:
            hint = "Another version of the plugin may have left it; it changes nothing."
            yield Problem(key[:80], _TYPED, f"There is no setting {key[:80]} ({IN_STASH}).", hint, is_error=False)


def _environment_layer(variables: Mapping[str, str]) -> _Layer:
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    for name, value in variables.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and upper != CONFIG_VARIABLE:
            key = upper.removeprefix(PREFIX).lower()
            _require_known(key, f"(the environment variable {name})")
            values[key], names[key] = value, upper
    return _Layer(values, lambda key: Origin(Source.ENVIRONMENT, names[key]))


def _file_layer(named: Path | None) -> _Layer:
    path = named or default_config_file()
    origin = Origin(Source.FILE, str(path))
    if named is None and not path.is_file():
        return _Layer({}, lambda _: origin)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The settings file {path} cannot be read: {error.strerror}.", hint="Check the path and its permissions."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        position = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise ConfigError(f"The settings file {path} is not valid TOML: {position}.", hint="Mend that line.") from None
    for key in values:
        _require_known(key, f"in {path}")
    return _Layer(values, lambda _: origin)


def _require_known(key: str, where: str) -> None:
    if key in Settings.model_fields:
        return
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Known settings: " + ", ".join(Settings.model_fields) + "."
    raise ConfigError(f"There is no setting {key} {where}.", hint=hint)
