"""The service's environment: made from what the plugin brings, seen to work before it counts, never half there.

Real environments and a real pip, without a network: the program and its one requirement are tiny wheels made here.
"""

import base64
import hashlib
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.plugin.hooking import SOURCES, environment, wait_until
from stashplex.plugin import install

pytestmark = pytest.mark.e2e

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are scripts of POSIX")


class Shop:
    """A plugin folder that offers a program, and a data folder with the packages that it needs."""

    def __init__(self, root: Path) -> None:
        self.plugin, self.data, self.wheels = root / "plugin", root / "data", root / "data" / "wheels"
        self.plugin.mkdir(parents=True)
        self.wheels.mkdir(parents=True)
        self.said: list[str] = []

    def offer(self, version: str, *, says: str = "", hashed: str = "") -> None:
        """Offer a version of the program. Shape: `says` is what it says in place of its version."""
        for old in self.plugin.glob("*.whl"):
            old.unlink()
        main = f"print('stashplex, version {says or version}')"
        write_wheel(self.plugin, "stashplex", version, {"stashplex/__init__.py": "", "stashplex/__main__.py": main})
        needed = write_wheel(self.wheels, "needed", "1.0", {"needed.py": ""})
        digest = hashed or hashlib.sha256(needed.read_bytes()).hexdigest()
        (self.plugin / "requirements.txt").write_text(f"needed==1.0 --hash=sha256:{digest}\n", "utf-8")

    def install(self) -> str:
        """Run the installation."""
        return install.install(str(self.data), str(self.plugin), lambda _, text: self.said.append(text), lambda _: None)

    def fail(self) -> str:
        """Run an installation that must fail; return its words."""
        with pytest.raises(install.InstallFailed) as caught:
            self.install()
        return str(caught.value)

    def python(self) -> Path:
        """Return the Python of the current environment."""
        return Path((self.data / "environment").read_text("utf-8").strip())

    def homes(self) -> list[str]:
        """Return the names of all environments."""
        return sorted(each.name for each in self.data.glob("venv-*"))


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """Write a wheel with these files."""
    about = f"{name}-{version}.dist-info"
    whole = files | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in whole.items()]
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as wheel:
        for path, text in whole.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{about}/RECORD", "\n".join([*record, f"{about}/RECORD,,", ""]))
    return target


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_upgrade_counts_only_when_it_was_seen_to_work(shop: Shop) -> None:
    shop.offer("1.0.0")
    assert shop.install() == "stashplex 1.0.0 is installed."
    first = shop.python()
    assert first.is_relative_to(shop.data)
    if sys.platform != "win32":
        assert stat.S_IMODE((shop.data / "environment").stat().st_mode) == 0o600
    assert shop.install() == "stashplex 1.0.0 is installed already."

    shop.offer("1.1.0", says="0.0.0")
    assert "does not say that it is 1.1.0" in shop.fail()
    shop.offer("1.1.0", hashed="0" * 64)
    assert "hash differs" in shop.fail()
    shop.offer("1.1.0")
    next(shop.wheels.iterdir()).unlink()
    assert "no ready-made package of needed==1.0" in shop.fail()
    assert (shop.python(), shop.homes()) == (first, [first.parents[1].name])

    shop.offer("1.1.0")
    assert shop.install() == "stashplex 1.1.0 is installed."
    second = shop.python()
    assert shop.homes() == sorted([first.parents[1].name, second.parents[1].name])
    (shop.data / "service.json").write_text(f'{{"python": "{first.as_posix()}"}}', "utf-8")
    assert install.sweep(str(shop.data)) == []
    (shop.data / "service.json").unlink()
    assert install.sweep(str(shop.data)) == [first.parents[1].name]
    assert shop.homes() == [second.parents[1].name]


@POSIX
def test_after_a_kill_half_way_the_next_run_starts_clean(shop: Shop) -> None:
    shop.offer("1.0.0")
    with half_way(shop) as process:
        assert "Another installation is running" in shop.fail()
        process.send_signal(signal.SIGKILL)
    assert not (shop.data / "environment").exists()
    (left,) = shop.homes()
    assert shop.install() == "stashplex 1.0.0 is installed."
    assert left not in shop.homes()


def test_settings_of_pip_and_python_lead_it_nowhere_else(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.offer("1.0.0")
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    assert shop.install() == "stashplex 1.0.0 is installed."
    assert not (tmp_path / "elsewhere").exists()


def test_a_plugin_folder_that_is_not_whole_is_named(shop: Shop) -> None:
    assert f"The plugin's folder {shop.plugin} is not whole" in shop.fail()


@POSIX
def test_no_fitting_python_is_explained(tmp_path: Path) -> None:
    old = stand_in(tmp_path / "old", "3 10 1 1")
    bare = stand_in(tmp_path / "bare", "3 12 0 0")
    broken = stand_in(tmp_path / "broken", "no Python at all")
    good = stand_in(tmp_path / "good", "3 13 1 1")
    lean = stand_in(tmp_path / "lean", "3 12 0 1")
    newer = stand_in(tmp_path / "newer", "3 99 1 1")
    assert found(broken, old, good) == (good, True)
    assert found(lean, good) == (lean, False)
    assert found(newer, good) == (good, True)
    assert found(newer, old) == (newer, True)
    with pytest.raises(install.InstallFailed, match=r"needs Python 3\.11 or newer.*old is 3\.10"):
        found(broken, old)
    with pytest.raises(install.InstallFailed, match=r"apt install python3\.12-venv"):
        found(old, bare)


def test_the_network_being_away_is_said_in_words(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.offer("1.0.0")
    for each in shop.wheels.iterdir():
        each.unlink()
    shop.wheels.rmdir()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    assert "cannot be reached" in shop.fail()
    assert shop.homes() == []


def found(*candidates: str) -> tuple[str, bool]:
    return install.find_python(lambda *_: None, iter(candidates))


def stand_in(path: Path, answer: str) -> str:
    """Write a program that answers like a Python that was asked what it is."""
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", "utf-8")
    path.chmod(0o755)
    return str(path)


@contextmanager
def half_way(shop: Shop) -> Iterator[subprocess.Popen[bytes]]:
    """Run an installation in a process of its own, up to where it fills its environment."""
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCES)!r}); import install; "
        f"install.install({str(shop.data)!r}, {str(shop.plugin)!r}, lambda *_: None, lambda _: None)"
    )
    with subprocess.Popen([sys.executable, "-B", "-c", code], env=environment()) as process:
        try:
            wait_until(lambda: bool(shop.homes()))
            yield process
        finally:
            process.kill()
