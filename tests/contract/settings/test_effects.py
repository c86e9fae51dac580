"""Every setting has an observable effect: two values of it, one scenario, two different results.

A setting without a row fails here: it may be read and forgotten, and then does nothing for the person who sets it.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contract.settings import engine_effects as engine
from contract.settings import mapping_effects as mapping
from contract.settings import merging_effects as merging
from contract.settings import wire_effects as wire
from contract.settings.engine_effects import Observe, staged
from stashplex.base.config import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Effect:
    """Two values that differ in what is seen. `given` are other settings of the scenario."""

    one: object
    other: object
    observe: Observe
    given: Mapping[str, object] = field(default_factory=dict)


BIG = 50_000_000
EFFECTS: Mapping[str, Effect] = {
    "stash_url": Effect("http://one.test:1", "http://two.test:2", engine.hosts_of_a_sync),
    "stash_api_key": Effect("stash-key", "another", engine.headers_of_a_sync),
    "plex_url": Effect("http://one.test:1", "http://two.test:2", engine.hosts_of_a_sync),
    "plex_token": Effect("plex-token", "another", engine.headers_of_a_sync),
    "stash_verify_tls": Effect(True, False, wire.reaches("stash", wire.self_signed)),
    "plex_verify_tls": Effect(True, False, wire.reaches("plex", wire.self_signed)),
    "plex_library": Effect("Films", "Clips", engine.libraries),
    "path_map": Effect("/data/films=/mnt/media/films", "", engine.evidence),
    "stash_path_case": Effect("ignore", "exact", engine.evidence, {"path_map": "/DATA/films=/mnt/media/films"}),
    "plex_path_case": Effect("ignore", "exact", engine.a_moved_file("")),
    "match_by_name": Effect(True, False, engine.a_name_alone),
    "edits_by_people": Effect("follow", "stash", merging.an_edit),
    "first_contact": Effect("overwrite", "adopt", merging.a_first_contact),
    "lock_fields": Effect(True, False, merging.a_first_contact),
    "respect_locks": Effect(True, False, merging.a_first_contact),
    "destroyed": Effect("leave", "label", merging.a_deleted_scene),
    "destroyed_label": Effect("one", "another", merging.a_deleted_scene, {"destroyed": "label"}),
    "data_dir": Effect("here", "there", wire.place_of_the_store),
    "allow_network_store": Effect(False, True, wire.network_drive),
    "batch_size": Effect(1, 100, engine.requests_of_a_sync),
    "plex_writes_in_flight": Effect(1, 4, engine.most_at_once("plex", "PUT POST")),
    "plex_reads_in_flight": Effect(1, 4, engine.most_at_once("plex", "GET"), {"batch_size": 1}),
    "stash_requests_in_flight": Effect(1, 4, engine.most_at_once("stash", "GET POST"), {"plex_writes_in_flight": 4}),
    "scan_on_not_found": Effect(True, False, staged(engine.a_missing_file)),
    "skip_not_found": Effect(True, False, staged(engine.a_missing_file)),
    "retry_base_s": Effect(5, 1_000, staged(engine.first_failure), {"retry_cap_s": 3_600}),
    "retry_cap_s": Effect(5, 3_600, staged(engine.tries_in_half_an_hour), {"retry_limit": 30}),
    "retry_limit": Effect(0, 5, staged(engine.failures_in_an_hour)),
    "not_found_base_s": Effect(30, 1_000, staged(engine.first_miss), {"not_found_cap_s": 3_600}),
    "not_found_cap_s": Effect(60, 3_600, staged(engine.misses_in_two_hours), {"not_found_limit": 1_000}),
    "not_found_limit": Effect(0, 12, staged(engine.misses_in_two_hours)),
    "failure_threshold": Effect(1, 9, staged(engine.plex_down)),
    "recovery_timeout_s": Effect(60, 3_600, staged(engine.plex_down)),
    "success_threshold": Effect(1, 4, staged(engine.plex_comes_back)),
    "dead_retention_days": Effect(5, 30, staged(engine.a_dismissed_one_after_ten_days)),
    "poll_interval_s": Effect(0, 60, staged(engine.a_change_that_no_event_told_of)),
    "sweep_schedule": Effect("never", "hourly", staged(engine.a_change_that_nobody_told_of)),
    "live_hints": Effect(True, False, wire.hears),
    "listen": Effect("127.0.0.1:0", f"127.0.0.1:{free_port()}", wire.service_file("api")),
    "service_key": Effect("one-key", "another-key", wire.service_file("key")),
    "service_url": Effect("http://nas:9998", "", wire.relay_address),
    "watch_tasks": Effect(True, False, wire.watches),
    "connect_timeout_s": Effect(0.1, 60, wire.reaches("plex", wire.full)),
    "read_timeout_s": Effect(0.1, 60, wire.reaches("plex", wire.deaf)),
    "write_timeout_s": Effect(
        0.1,
        60,
        wire.reaches("plex", wire.deaf, "POST", BIG),
        {"connect_timeout_s": 0.1, "read_timeout_s": 0.1},
    ),
    **{key: Effect(one, other, mapping.an_item, more) for key, (one, other, more) in mapping.VALUES.items()},
}


def test_every_setting_has_a_row() -> None:
    assert EFFECTS.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize("key", sorted(EFFECTS))
def test_two_values_of_a_setting_are_seen_to_differ(tmp_path: Path, key: str) -> None:
    effect = EFFECTS[key]
    seen = []
    for name, value in (("one", effect.one), ("other", effect.other)):
        folder = tmp_path / name
        folder.mkdir()
        seen.append(effect.observe(folder, {**effect.given, key: value}))
    assert seen[0] != seen[1], f"{key} = {effect.one} and {effect.other} do the same: {seen[0]}"
