"""Packages: the index of a source, what is installed from it, and the jobs that install, update and remove.

A package is a zip whose files go to `<plugins path>/<local path of the source>/<id>/`, beside a YAML file `manifest`
that lists them. Invariants: only listed files are ever removed, so what somebody else put there stays; an update is
told by its date, not by its version; the failure of one package is a line in the log and the job goes on.
"""

import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

import yaml
from anyio import to_thread

from stashplex.sim.stash.job import Job, JobFailed
from stashplex.sim.stash.log import Log
from stashplex.sim.stash.plugin import Shelf
from stashplex.sim.stash.refusal import NIL, RequestRefused
from stashplex.sim.stash.settings import Settings

MANIFEST = "manifest"
Spec = tuple[str, str]
"""The id of a package and the address of its source's index."""
Work = Callable[[Job], Awaitable[None]]
_TIMEOUT_S = 10
_TIME = "%Y-%m-%d %H:%M:%S"


class PackageRefused(RequestRefused):
    """A source cannot be read, or a package is not what its index says."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package, of a source or installed. Shape: `path` and `sha256` of a source's, `files` of an installed one."""

    id: str
    name: str
    source: str
    version: str = ""
    date: datetime | None = None
    metadata: Mapping[str, Any] | None = None
    requires: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""
    files: tuple[str, ...] = ()

    @property
    def spec(self) -> Spec:
        """What names it."""
        return self.id, self.source


@dataclass(slots=True)
class Packages:
    """Installs packages below the plugins path of one server."""

    settings: Settings
    shelf: Shelf
    log: Log

    def installed(self) -> list[Package]:
        """Return what is installed, by id."""
        folders = {each.get("local_path") or "" for each in self.settings.package_sources}
        found = [package for folder in folders for package in self._installed_below(self._root() / folder)]
        return sorted({each.spec: each for each in found}.values(), key=lambda each: (each.id.lower(), each.spec))

    def available(self, source: str) -> list[Package]:
        """Return what a source offers, by id; of two of one id the newer. Raises: PackageRefused. It blocks."""
        content = _fetch(source)
        try:
            listed = yaml.safe_load(content) or []
            packages = [_remote(each, source) for each in listed]
        except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PackageRefused(f"reading package list: {error}") from error
        newest: dict[str, Package] = {}
        for each in packages:
            known = newest.get(each.id)
            if known is None or not _is_newer(known, each):
                newest[each.id] = each
        return sorted(newest.values(), key=lambda each: (each.id.lower(), each.id))

    def install(self, specs: Iterable[Spec], verb: str = "Installing") -> Work:
        """Return the job that installs packages, over older ones if need be."""

        async def work(_: Job) -> None:
            for spec in specs:
                self.log.write("Info", f"{verb} package {spec[0]}")
                with self._told(f"Error {verb.lower()} package {spec[0]} from {spec[1]}"):
                    await self._install(spec)
            self.shelf.reload()

        return work

    def update(self, specs: Iterable[Spec]) -> Work:
        """Return the job that updates the named packages, or without names all that have a newer date."""

        async def work(job: Job) -> None:
            wanted = list(specs) or await self._upgradable()
            await self.install(wanted, "Updating")(job)

        return work

    def uninstall(self, specs: Iterable[Spec]) -> Work:
        """Return the job that removes packages; files that they did not bring stay."""

        async def work(_: Job) -> None:
            for package_id, source in specs:
                self.log.write("Info", f"Uninstalling package {package_id}")
                with self._told(f"Error uninstalling package {package_id}"):
                    folder = self._folder(package_id, source)
                    _remove_files(folder)
                    with suppress(OSError):  # files of somebody else, or empty folders, are in it
                        folder.rmdir()
            self.shelf.reload()

        return work

    async def _upgradable(self) -> list[Spec]:
        wanted: list[Spec] = []
        for package in self.installed():
            with self._told(f"error listing remote package {package.source}", "Warning"):
                offered = {each.spec: each for each in await to_thread.run_sync(self.available, package.source)}
                newer = offered.get(package.spec)
                if newer is not None and _is_newer(newer, package):
                    wanted.append(package.spec)
        return wanted

    async def _install(self, spec: Spec) -> None:
        offered = await to_thread.run_sync(self.available, spec[1])
        package = next((each for each in offered if each.spec == spec), None)
        if package is None:
            raise JobFailed(NIL)
        content = await to_thread.run_sync(_fetch, _address(package))
        found = hashlib.sha256(content).hexdigest()
        if found != package.sha256:
            raise PackageRefused(f"package data ({found}) does not match expected SHA256 ({package.sha256})")
        folder = self._folder(*spec)
        if (folder / MANIFEST).is_file():
            _remove_files(folder)
        files = _unpack(content, folder)
        (folder / MANIFEST).write_text(_rendered(package, files), "utf-8")

    def _folder(self, package_id: str, source: str) -> Path:
        sources = self.settings.package_sources
        local = next((each.get("local_path") or "" for each in sources if each["url"] == source), "")
        return self._root() / local / package_id

    def _root(self) -> Path:
        if self.settings.plugins_path is None:
            raise PackageRefused("the simulated server has no plugins path")
        return self.settings.plugins_path

    def _installed_below(self, folder: Path) -> Iterable[Package]:
        for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
            yield _local(yaml.safe_load(manifest.read_text("utf-8")))

    def _told(self, what: str, level: str = "Error") -> "_Told":
        return _Told(self.log, level, what)


@dataclass(slots=True)
class _Told:
    """Turns a refusal or a failing file system inside a block into a line of the log."""

    log: Log
    level: str
    what: str

    def __enter__(self) -> None:
        """Start."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Tell and go on."""
        if not isinstance(error, PackageRefused | OSError):
            return False
        self.log.write(self.level, f"{self.what}: {error}")
        return True


def describe(package: Package, others: Iterable[Package] = ()) -> dict[str, Any]:
    """Return a package as the API shows it. Shape: what it requires is looked for among `others` only."""
    known = {each.id: each for each in others}
    return {
        "package_id": package.id,
        "name": package.name,
        "version": package.version or None,
        "date": None if package.date is None else package.date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requires": [describe(known[each]) for each in package.requires if each in known],
        "sourceURL": package.source,
        "metadata": dict(package.metadata or {}),
    }


def _remote(given: Mapping[str, Any], source: str) -> Package:
    return Package(
        given["id"],
        given.get("name", ""),
        source,
        str(given.get("version", "")),
        _date(given.get("date")),
        given.get("metadata"),
        tuple(given.get("requires") or ()),
        given.get("path", ""),
        given.get("sha256", ""),
    )


def _local(given: Mapping[str, Any]) -> Package:
    return Package(
        given["id"],
        given["name"],
        given["source_repository"],
        given["version"],
        _date(given["date"]),
        given["metadata"],
        files=tuple(given["files"]),
    )


def _date(value: Any) -> datetime | None:
    """Return a date of an index, which is UTC or has an offset. Raises: ValueError."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_newer(this: Package, that: Package) -> bool:
    beginning = datetime.min.replace(tzinfo=UTC)
    return (this.date or beginning) > (that.date or beginning)


def _address(package: Package) -> str:
    address = urljoin(package.source, package.path)
    if urlsplit(address).scheme == "file" and urlsplit(package.source).scheme != "file":
        raise PackageRefused(f"{address} is invalid for a remotely hosted package list")
    return address


def _fetch(url: str) -> bytes:
    if urlsplit(url).scheme not in {"http", "https", "file"}:
        raise PackageRefused(f'failed to get remote file: Get "{url}": unsupported protocol scheme ""')
    try:
        if urlsplit(url).scheme == "file":
            return Path(unquote(urlsplit(url).path)).read_bytes()
        with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was looked at
            return bytes(answer.read())
    except (URLError, OSError) as error:
        raise PackageRefused(f"failed to get package list: {error}") from error


def _unpack(content: bytes, folder: Path) -> list[str]:
    """Write the files of a zip with the modes that it gives them; return their names."""
    names = []
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        for entry in bundle.infolist():
            if entry.is_dir():
                continue
            file = folder / PurePosixPath(entry.filename)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bundle.read(entry))
            file.chmod(entry.external_attr >> 16 & 0o777)
            names.append(entry.filename)
    return names


def _rendered(package: Package, files: list[str]) -> str:
    date = None if package.date is None else package.date.strftime(_TIME)
    return yaml.safe_dump(
        {
            "id": package.id,
            "name": package.name,
            "metadata": dict(package.metadata or {}),
            "version": package.version,
            "date": date,
            "requires": [],
            "source_repository": package.source,
            "files": files,
        },
        sort_keys=False,
    )


def _remove_files(folder: Path) -> None:
    """Remove what the manifest lists, and the manifest. Raises: PackageRefused when nothing is installed there."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise PackageRefused(f'getting manifest: reading manifest file "{manifest}": no such file or directory')
    for name in _local(yaml.safe_load(manifest.read_text("utf-8"))).files:
        with suppress(OSError):
            (folder / PurePosixPath(name)).unlink()
    manifest.unlink()
