"""`pending clear`, `dead purge`, `stop` and `support`: what goes, what stays, and what is never shown."""

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from ledgers import SYNCED, lease, mark, retry, settle
from shop import PLEX_URL, Shop
from stashplex.app import SPOOL_NAME
from stashplex.domain.scene import SceneId
from stashplex.store import seat, spool
from worlds import a_world

SECRETS = {
    "plex_token": "plex-to/ken+1&x",
    "stash_api_key": "eyJ0.stash-key.x_y",
    "service_key": "service-<key>-1",
}


def test_what_waits_is_forgotten_and_what_is_settled_or_dead_stays(shop: Shop) -> None:
    shop.bury(4)
    with shop.store() as store:
        plex_id = store.ledger.plex_id(PLEX_URL, PLEX_URL)
        mark(store.ledger, plex_id, 3, now=shop.now)
        settle(store.ledger, lease(store.ledger, plex_id, now=shop.now), SYNCED, now=shop.now)
        mark(store.ledger, plex_id, 2, now=shop.now)
        settle(
            store.ledger, lease(store.ledger, plex_id, now=shop.now), retry(shop.now + timedelta(hours=1)), now=shop.now
        )
        mark(store.ledger, plex_id, 1, now=shop.now)
    spool.append(shop.folder / SPOOL_NAME, b'{"type": "Scene.Update.Post", "id": 9}', now=shop.now)
    assert shop.read("pending", "clear") == {"cleared": 2, "events": 1}
    with shop.store() as store:
        counts = store.ledger.counts(plex_id, now=shop.now)
        assert (counts.synced, counts.pending, counts.dead) == (1, 0, 1)
        assert store.ledger.find(plex_id, SceneId(1)) is None
    assert list(spool.iter_ready(shop.folder / SPOOL_NAME)) == []
    assert shop.read("pending", "clear") == {"cleared": 0, "events": 0}


@pytest.mark.anyio
async def test_a_scene_that_was_written_before_keeps_its_links(tmp_path: Path) -> None:
    world = a_world(tmp_path / "data", posters=False)
    await world.sync()
    with world.app() as app:
        (known,) = app.store.overview.list_plex()
        mark(app.store.ledger, known.id, 1, 2, now=app.clock.now())
    shop = Shop(world.data_dir, world.clock.now())
    assert shop.read("pending", "clear")["cleared"] == 2
    assert (await world.sync()).unchanged == 3


def test_what_is_being_worked_on_is_not_touched(shop: Shop) -> None:
    with shop.store() as store:
        plex_id = store.ledger.plex_id(PLEX_URL, PLEX_URL)
        mark(store.ledger, plex_id, 1, now=shop.now)
        leased = lease(store.ledger, plex_id, now=shop.now)
        assert shop.read("pending", "clear")["cleared"] == 0
        assert settle(store.ledger, leased, SYNCED, now=shop.now) == 1


def test_many_are_cleared_in_steps(shop: Shop) -> None:
    with shop.store() as store:
        mark(store.ledger, store.ledger.plex_id(PLEX_URL, PLEX_URL), *range(1, 2_501), now=shop.now)
    assert shop.read("pending", "clear")["cleared"] == 2_500


@pytest.mark.parametrize(
    ("arguments", "left"), [((), [2, 3]), (("--older-than", "7d"), [3]), (("--older-than", "1h"), [])]
)
def test_old_dead_letters_are_purged(shop: Shop, arguments: tuple[str, ...], left: list[int]) -> None:
    shop.bury(1, days_ago=31)
    shop.bury(2, days_ago=10)
    shop.bury(3, days_ago=1)
    assert shop.read("dead", "purge", *arguments) == {"purged": 3 - len(left)}
    assert sorted(row["scene_id"] for row in shop.read("dead")) == left


def test_a_purge_leaves_what_was_dismissed_lately(shop: Shop) -> None:
    shop.bury(1, days_ago=40)
    shop.bury(2, days_ago=1)
    shop.run("dead", "dismiss", "2")
    assert shop.read("dead", "purge") == {"purged": 1}
    with shop.store() as store:
        assert store.dead_letters.count_dismissed(shop.plex_id()) == 1


def test_stopping_where_nothing_runs(shop: Shop) -> None:
    assert shop.read("stop") == {"stopped": False}
    assert "No service runs" in shop.run("stop")


def test_a_service_that_cannot_be_asked_is_said(shop: Shop) -> None:
    with seat.taken(shop.folder) as is_ours:
        assert is_ours
        assert "waits for its settings" in shop.run("stop", code=2)
        address = seat.Address(1, 1, "http://127.0.0.1:9", "a-secret-key", "0")
        with seat.told(shop.folder, address):
            told = shop.run("stop", code=2)
    assert "does not answer" in told
    assert "a-secret-key" not in told


def bundle_of(shop: Shop, *arguments: str, **settings: str) -> dict[str, str]:
    file = Path(shop.read("support", *arguments, **settings)["file"])
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


@pytest.mark.parametrize("arguments", [(), ("--paths",)])
def test_no_secret_is_in_the_bundle(shop: Shop, arguments: tuple[str, ...]) -> None:
    others = {
        "cookie": "MTc5-cookie-value",
        "api": "far-service-key",
        "typed": "typed-plex-token",
        "own": "own-service-key",
    }
    shop.bury(7, reason=f"Plex said X-Plex-Token={SECRETS['plex_token']}")
    files = {
        "connection.json": {"scheme": "http", "host": "127.0.0.1", "port": 9999, "cookie": others["cookie"]},
        "service-elsewhere.json": {"url": "http://nas:9998", "key": others["api"]},
        "stash-settings.json": {"settings": {"plex_token": others["typed"]}, "api_key": SECRETS["stash_api_key"]},
        "service.json": {"pid": 1, "poke_port": 1, "api": "http://127.0.0.1:1", "key": others["own"], "version": "0"},
    }
    for name, content in files.items():
        (shop.folder / name).write_text(json.dumps(content), "utf-8")
    every = [*SECRETS.values(), *others.values()]
    (shop.folder / "service.log").write_text("\n".join([*every, json.dumps(every), "service_started"]), "utf-8")
    found = bundle_of(shop, *arguments, **SECRETS)
    assert "service_started" in found["service.log"]
    for text in found.values():
        for secret in every:
            assert secret not in text
            assert json.dumps(secret)[1:-1] not in text


def test_the_bundle_tells_what_a_helper_needs(shop: Shop) -> None:
    shop.bury(7, reason="MatchAmbiguous")
    found = bundle_of(shop)
    about, store = json.loads(found["about.json"]), json.loads(found["store.json"])
    assert {"stashplex", "python", "system", "files"} <= about.keys()
    assert "stashplex.sqlite" in {file["name"] for file in about["files"]}
    assert (store["dead"][0]["scene"], store["dead"][0]["error_type"]) == (7, "MatchAmbiguous")
    assert json.loads(found["settings.json"])["settings"]["plex_url"]["value"] == PLEX_URL


@pytest.mark.parametrize(
    "path", ["/data/My Films/secret title.mkv", r"D:\My Films\secret title.mkv", r"\\nas\films\secret title.mkv"]
)
def test_paths_are_shown_only_when_asked_for(shop: Shop, path: str) -> None:
    shop.folder.mkdir(exist_ok=True)
    (shop.folder / "service.log").write_text(f"no item for {path} in Plex http://plex.test:32400\n", "utf-8")
    shop.plex_id()
    assert "secret title" not in bundle_of(shop)["service.log"]
    assert path in bundle_of(shop, "--paths", "--out", str(shop.folder / "other.zip"))["service.log"]


def test_a_bundle_can_be_made_without_a_database_and_goes_where_it_is_told(shop: Shop, tmp_path: Path) -> None:
    target = tmp_path / "new" / "bundle.zip"
    assert "store.json" not in bundle_of(shop, "--out", str(target))
    assert target.is_file()
    assert "cannot be written" in shop.run("support", "--out", str(target / "x.zip"), code=2)
