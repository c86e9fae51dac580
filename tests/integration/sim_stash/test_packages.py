"""Packages: an index, a zip with its sum, an update by date, and files of others that stay (fact 51)."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
import yaml

from integration.sim_stash.caller import Caller, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

INSTALL = "mutation($p: [PackageSpecInput!]!) { job: installPackages(type: Plugin, packages: $p) }"
UPDATE = "mutation { job: updatePackages(type: Plugin) }"
UNINSTALL = "mutation($p: [PackageSpecInput!]!) { job: uninstallPackages(type: Plugin, packages: $p) }"
INSTALLED = """{ installedPackages(type: Plugin) {
  package_id version date sourceURL source_package { version date } requires { package_id } } }"""
SOURCE = "mutation($s: [PackageSourceInput!]) { configureGeneral(input: {pluginPackageSources: $s}) { pluginsPath } }"


class Shop:
    """A source in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = (root / "index.yml").as_uri()
        self.spec = [{"id": "demo", "sourceURL": self.url}]

    def offer(self, date: str, *, sha256: str | None = None, **files: str) -> None:
        """Offer one version of the plugin `demo`. Shape: `__` in a name stands for a dot."""
        bundle = io.BytesIO()
        with zipfile.ZipFile(bundle, "w") as writing:
            for name, text in files.items():
                writing.writestr(name.replace("__", "."), text)
        (self.root / "demo.zip").write_bytes(bundle.getvalue())
        entry = {
            "id": "demo",
            "name": "Demo",
            "version": "1",
            "date": date,
            "path": "demo.zip",
            "sha256": sha256 or hashlib.sha256(bundle.getvalue()).hexdigest(),
            "requires": ["other"],
        }
        (self.root / "index.yml").write_text(yaml.safe_dump([entry]), "utf-8")


@pytest.fixture
async def shop(tmp_path: Path, client: Caller) -> Shop:
    root = tmp_path / "shop"
    root.mkdir()
    shop = Shop(root)
    await client.ask(SOURCE, s=[{"name": "mine", "url": shop.url, "local_path": "mine"}])
    return shop


async def done(client: Caller, query: str, shop: Shop) -> None:
    given = {} if query == UPDATE else {"p": shop.spec}
    await client.wait_for_job((await client.ask(query, **given))["job"])


async def test_an_installed_plugin_is_there_at_once(
    plugged: StashSim, client: Caller, shop: Shop, workshop: Workshop
) -> None:
    shop.offer("2026-01-31 10:20:30", demo__yml="name: Demo\nversion: 1.0", demo__py="")
    async with plugged.running():
        await done(client, INSTALL, shop)
    folder = workshop.root.parent / "mine" / "demo"
    assert sorted(each.name for each in folder.iterdir()) == ["demo.py", "demo.yml", "manifest"]
    assert (await client.ask("{ plugins { id version } }"))["plugins"] == [{"id": "demo", "version": "1.0"}]
    assert (await client.ask(INSTALLED))["installedPackages"] == [
        {
            "package_id": "demo",
            "version": "1",
            "date": "2026-01-31T10:20:30Z",
            "sourceURL": shop.url,
            "source_package": {"version": "1", "date": "2026-01-31T10:20:30Z"},
            "requires": [],
        }
    ]


async def test_an_update_goes_by_date_and_touches_listed_files_only(
    plugged: StashSim, client: Caller, shop: Shop, workshop: Workshop
) -> None:
    shop.offer("2026-01-31 10:20:30", demo__yml="name: Demo", old__py="1")
    folder = workshop.root.parent / "mine" / "demo"
    async with plugged.running():
        await done(client, INSTALL, shop)
        (folder / "mine.json").write_text("{}")
        shop.offer("2026-01-31 10:20:30", demo__yml="name: Same date")
        await done(client, UPDATE, shop)
        assert (folder / "old.py").exists()
        shop.offer("2026-01-31 10:20:31", demo__yml="name: Newer")
        await done(client, UPDATE, shop)
    assert sorted(each.name for each in folder.iterdir()) == ["demo.yml", "manifest", "mine.json"]
    assert (await client.ask("{ plugins { name } }"))["plugins"] == [{"name": "Newer"}]


async def test_uninstalling_leaves_what_others_put_there(
    plugged: StashSim, client: Caller, shop: Shop, workshop: Workshop
) -> None:
    shop.offer("2026-01-31 10:20:30", demo__yml="name: Demo")
    folder = workshop.root.parent / "mine" / "demo"
    async with plugged.running():
        await done(client, INSTALL, shop)
        (folder / "mine.json").write_text("{}")
        await done(client, UNINSTALL, shop)
        assert [each.name for each in folder.iterdir()] == ["mine.json"]
        (folder / "mine.json").unlink()
        await done(client, INSTALL, shop)
        await done(client, UNINSTALL, shop)
    assert not folder.exists()
    assert (await client.ask("{ plugins { id } }"))["plugins"] == []


async def test_a_wrong_sum_installs_nothing(plugged: StashSim, client: Caller, shop: Shop) -> None:
    shop.offer("2026-01-31 10:20:30", sha256="0" * 64, demo__yml="name: Demo")
    async with plugged.running():
        await done(client, INSTALL, shop)
    assert (await client.ask("{ plugins { id } }"))["plugins"] == []
    (line,) = plugged.log.messages("Error")
    assert "does not match expected SHA256" in line


async def test_a_source_that_is_gone_is_an_error_in_words(client: Caller, shop: Shop) -> None:
    query = "query($s: String!) { availablePackages(type: Plugin, source: $s) { package_id } }"
    (message,) = await client.errors(query, s=shop.url)
    assert "failed to get package list" in message
