"""Makes the private Python environment that the service runs in. Called by the task "Install or upgrade the service".

It stands alone: the standard library and nothing of stashplex, Python 3.9 or newer; the service itself needs 3.11. Each
try builds an environment of its own beside the present one, and the file `environment` is switched to it when it was
seen to work. Invariants: the interpreter that runs this is never changed; whenever this is killed, what worked before
still works and the next run starts clean; nothing is compiled, and nothing is installed whose hash is not pinned.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

OLDEST, NEWEST = (3, 11), (3, 14)
"""The Pythons that all requirements have ready-made packages for."""
NEEDED_BYTES = 250 * 1024 * 1024
POINTER = "environment"
BUILT_FROM = "built-from"
WHEELS = "wheels"
"""A folder of this name, in the data folder or the plugin's, takes the place of the network."""
_PROBE = (
    "import importlib.util as u, sys; "
    "print(sys.version_info[0], sys.version_info[1], *(int(u.find_spec(n) is not None) for n in ('ensurepip', 'pip')))"
)
_OFFLINE = ("connection broken", "Max retries exceeded", "Could not fetch URL", "name resolution", "ConnectTimeout")
_FORGOTTEN = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "VIRTUAL_ENV")
_ASIDE = "The service can also run elsewhere: docs/how-to/install-the-plugin.md, 'Service on another machine'."

Say = Callable[[str, str], None]
"""Takes a level (`i`, `w`, `e`) and a line."""
Progress = Callable[[float], None]


class InstallFailed(Exception):  # noqa: N818 - errors name the condition
    """The environment could not be made; the text tells a person why and what to do. What was there still is."""


class Parcel(NamedTuple):
    """What is to be installed. Shape: `sources` are pip's options for packages brought along, none for the network."""

    wheel: Path
    requirements: Path
    sources: list[str]

    @property
    def version(self) -> str:
        """Return the version that the wheel's name tells."""
        return self.wheel.name.split("-")[1]

    @property
    def origin(self) -> str:
        """Return what tells one build from another, also of one version."""
        return hashlib.sha256(self.wheel.read_bytes() + self.requirements.read_bytes()).hexdigest()


def install(data_dir: str, plugin_dir: str, say: Say, progress: Progress) -> str:
    """Make the environment of the shipped version, switch to it, and return a sentence. Raises: InstallFailed."""
    data, plugin = Path(data_dir), Path(plugin_dir)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(data):
            return _install(data, plugin, say, progress)
    except OSError as error:
        raise InstallFailed(f"The service could not be installed: {error}.") from error


def sweep(data_dir: str) -> list[str]:
    """Remove environments that are neither current nor of the living service; return their names."""
    data = Path(data_dir)
    try:
        with _alone(data):
            return _sweep(data)
    except (OSError, InstallFailed):
        return []


def current_python(data: Path) -> Path | None:
    """Return the Python of the current environment, or None when there is none."""
    try:
        python = Path((data / POINTER).read_text("utf-8").strip())
    except (OSError, ValueError):
        return None
    return python if python.is_file() else None


def _install(data: Path, plugin: Path, say: Say, progress: Progress) -> str:
    parcel = _shipped(data, plugin)
    version = parcel.version
    if _is_good(data, parcel):
        return f"stashplex {version} is installed already."
    _sweep(data)
    if shutil.disk_usage(data).free < NEEDED_BYTES:
        raise InstallFailed(f"The disk of {data} has less than {NEEDED_BYTES >> 20} MB left. Make room and try again.")
    base, has_ensurepip = find_python(say)
    progress(0.05)
    home = data / f"venv-{version}-{os.urandom(4).hex()}"
    say("i", f"Making the environment {home} …")
    try:
        _make(home, base, has_ensurepip=has_ensurepip)
        progress(0.15)
        _fill(home, parcel, [] if has_ensurepip else [base], say, progress)
    except (InstallFailed, OSError):
        shutil.rmtree(home, ignore_errors=True)
        raise
    _write(home / BUILT_FROM, parcel.origin)
    _write(data / POINTER, str(python_of(home)))
    progress(1.0)
    return f"stashplex {version} is installed."


def find_python(say: Say, candidates: Iterator[str] | None = None) -> tuple[str, bool]:
    """Return a Python that is new enough and whether it has ensurepip. Raises: InstallFailed."""
    unfit: list[str] = []
    later: tuple[str, bool] | None = None
    without_pip = None
    for candidate in candidates or _candidates():
        found = _probed(candidate)
        if found is None:
            continue
        version, has_ensurepip, has_pip = found
        if version < OLDEST:
            unfit.append(f"{candidate} is {version[0]}.{version[1]}")
        elif not has_ensurepip and not has_pip:
            without_pip = without_pip or (candidate, version)
        elif version > NEWEST:
            later = later or (candidate, has_ensurepip)
        else:
            say("i", f"Using {candidate}, Python {version[0]}.{version[1]}.")
            return candidate, has_ensurepip
    if later is not None:
        say("w", f"{later[0]} is newer than what stashplex was tried with, and there is no other.")
        return later
    if without_pip is not None:
        raise InstallFailed(
            f"{without_pip[0]} cannot make environments. On Debian and Ubuntu: apt install "
            f"python{without_pip[1][0]}.{without_pip[1][1]}-venv; then run this task again. {_ASIDE}"
        )
    seen = f" ({'; '.join(unfit)})" if unfit else ""
    raise InstallFailed(
        f"The service needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and none was found{seen}. {_ASIDE}"
    )


def python_of(home: Path) -> Path:
    """Return the Python of an environment."""
    return home / "Scripts" / "python.exe" if sys.platform == "win32" else home / "bin" / "python"


def _make(home: Path, base: str, *, has_ensurepip: bool) -> None:
    """Make an empty environment. Raises: InstallFailed."""
    _run([base, "-I", "-m", "venv", *([] if has_ensurepip else ["--without-pip"]), str(home)], "make an environment")


def _candidates() -> Iterator[str]:
    """Yield Pythons, each once: this one, then those of the PATH from the newest that was tried downwards."""
    known = {None, ""}
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    for path in (sys.executable, *map(shutil.which, (*names, "python3", "python"))):
        if path not in known:
            known.add(path)
            yield str(path)


def _probed(python: str) -> tuple[tuple[int, int], bool, bool] | None:
    try:
        ended = subprocess.run(  # noqa: S603 - a Python of this machine
            [python, "-I", "-c", _PROBE], env=_environment(), capture_output=True, text=True, timeout=30, check=True
        )
        major, minor, ensurepip, pip = map(int, ended.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return (major, minor), bool(ensurepip), bool(pip)


def _fill(home: Path, parcel: Parcel, helper: list[str], say: Say, progress: Progress) -> None:
    """Install what is pinned, then the program, and see it work. Raises: InstallFailed.

    Shape: `helper` is a Python whose pip does it when the environment has none.
    """
    python = str(python_of(home))
    pip = [*helper, "-I", "-m", "pip", "--python", python] if helper else [python, "-I", "-m", "pip"]
    pip += ["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
    text = parcel.requirements.read_text("utf-8")
    expected = len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) or 1
    seen = 0

    def on_line(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            progress(0.15 + 0.7 * min(seen / expected, 1.0))
            say("i", f"{seen} of {expected}: {line.split(' ')[1]}")

    pinned = ["--require-hashes", "--only-binary", ":all:", *parcel.sources, "-r", str(parcel.requirements)]
    _run([*pip, *pinned], "install", on_line)
    progress(0.9)
    _run([*pip, "--no-deps", "--no-index", str(parcel.wheel)], "install")
    _check(python_of(home), parcel.version)


def _check(python: Path, version: str) -> None:
    found = _run([str(python), "-I", "-m", "stashplex", "--version"], "start what was installed")
    if version not in found.split():
        raise InstallFailed(f"What was installed does not say that it is {version}: {found.strip()[:200]}")


def _is_good(data: Path, parcel: Parcel) -> bool:
    """Tell whether the current environment is of just this build, and works."""
    python = current_python(data)
    if python is None:
        return False
    try:
        if (python.parent.parent / BUILT_FROM).read_text("utf-8").strip() != parcel.origin:
            return False
        _check(python, parcel.version)
    except (OSError, ValueError, InstallFailed):
        return False
    return True


def _shipped(data: Path, plugin: Path) -> Parcel:
    """Return what is to be installed. Raises: InstallFailed."""
    wheels, requirements = sorted(plugin.glob("stashplex-*.whl")), plugin / "requirements.txt"
    if len(wheels) != 1 or not requirements.is_file():
        raise InstallFailed(f"The plugin's folder {plugin} is not whole. Install the plugin again.")
    brought = [folder for folder in (data / WHEELS, plugin / WHEELS) if folder.is_dir()]
    return Parcel(
        wheels[0], requirements, [each for folder in brought for each in ("--no-index", "--find-links", str(folder))]
    )


def _sweep(data: Path) -> list[str]:
    kept = {home for home in (_home_of(current_python(data)), _home_of(_living_python(data))) if home}
    swept = []
    for home in sorted(data.glob("venv-*")):
        if home.is_dir() and not home.is_symlink() and home.resolve() not in kept:
            shutil.rmtree(home, ignore_errors=True)  # on Windows a program in use stays until the next time
            swept.append(home.name)
    return swept


def _living_python(data: Path) -> Path | None:
    """Return the Python of the service that told its address last."""
    try:
        told = json.loads((data / "service.json").read_text("utf-8"))
        return Path(told["python"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _home_of(python: Path | None) -> Path | None:
    """Return the environment that a Python belongs to. The Python itself is often a link out of it."""
    return None if python is None else python.parent.parent.resolve()


def _run(command: list[str], what: str, on_line: Callable[[str], None] | None = None) -> str:
    """Run a program to its end and return its output. Raises: InstallFailed with its own words."""
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - a Python of this machine
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if on_line is not None:
                on_line(line.strip())
    output = re.sub(r"://[^/@\s]+@", "://…@", "".join(lines))
    if process.returncode != 0:
        raise InstallFailed(_explained(output, what, process.returncode))
    return output


def _explained(output: str, what: str, code: int) -> str:
    """Return why a program failed, in words for the person who started the task."""
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if any(sign in output for sign in _OFFLINE):
        return (
            "The package index cannot be reached, so nothing was installed. Try again when this machine is online, "
            f"or put the packages into a folder '{WHEELS}' in the data folder."
        )
    if "No space left on device" in output:
        return "The disk is full. Make room and try again."
    if "DO NOT MATCH THE HASHES" in output:
        return "A package is not the one that stashplex was tested with (its hash differs), so nothing was installed."
    if missing:
        return f"There is no ready-made package of {missing[1]} for this system. {_ASIDE}"
    told = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in told if line.lower().startswith("error")] or told[-3:]
    return f"Python could not {what} (exit code {code}): {' '.join(errors)[:1000] or 'it did not say why'}"


def _environment() -> dict[str, str]:
    """Return the environment for Pythons: without what would lead them, or pip, to another place."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name.upper() not in _FORGOTTEN
    }
    return {**kept, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PYTHONUTF8": "1"}


def _write(path: Path, text: str) -> None:
    """Write a file in one step, private and durable."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep a second installation out. The lock ends with the process. Raises: InstallFailed."""
    descriptor = os.open(data / "install.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InstallFailed("Another installation is running.") from error
        yield
    finally:
        os.close(descriptor)
