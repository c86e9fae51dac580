"""Sweeps on virtual time: a look at everything once a period, whatever was told, across restarts."""

from pathlib import Path

import trio

from stage import Stage, play, plex_id
from stashplex.app import App

HOUR_S = 3_600


def generation(app: App) -> int:
    return max(entry.generation for entry in app.store.ledger.iter_entries(plex_id(app)))


def test_what_nobody_told_arrives_with_the_next_sweep(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(60)
            stage.world.stash.update_scene(1, title="Untold")
            await trio.sleep(HOUR_S - 700)
            assert stage.title(1) != "Untold"
            await trio.sleep(1_400)
            assert stage.title(1) == "Untold"

    play(tmp_path, act, sweep_schedule="hourly")


def test_an_unchanged_library_is_looked_at_once_a_period_and_not_written(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            before = generation(app)
            await trio.sleep(3 * HOUR_S + 900)
            assert generation(app) == before + 3
            assert [request for _, request in stage.plex.sent if request.method != "GET"] == []

    play(tmp_path, act, sweep_schedule="hourly")


def test_restarts_neither_repeat_nor_forget_a_sweep(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            before = generation(app)
            await trio.sleep(60)
        for _ in range(4):
            async with stage.serving() as app:
                await trio.sleep(HOUR_S / 6)
                assert generation(app) == before
        await trio.sleep(2 * HOUR_S)
        async with stage.serving() as app:
            await trio.sleep(60)
            assert generation(app) == before + 1

    play(tmp_path, act, sweep_schedule="hourly")


def test_a_clock_that_was_set_back_starts_a_new_period(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(60)
            app.store.cursors.put(f"sweep.{plex_id(app)}", "2199-01-01T00:00:00+00:00")
            before = generation(app)
            await trio.sleep(HOUR_S / 2)
            assert generation(app) == before
            await trio.sleep(HOUR_S)
            assert generation(app) == before + 1

    play(tmp_path, act, sweep_schedule="hourly")
