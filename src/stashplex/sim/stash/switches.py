"""What a test can switch on a simulated Stash: age, state, login, and faults.

All of it is read anew at each request, so a switch works from the next request on. Nothing here changes what is
stored.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """The switches of one server.

    Units: `latency_s` is waited before each answer, `image_latency_s` on top of it for pictures.
    Shape: `hidden` names fields that this (older) server does not have, as `Scene.code` or
    `SceneFilterType.files_filter`; `status` is OK, SETUP or NEEDS_MIGRATION; `locked` and `failing` count down with
    each request they spoil; `hang` lets requests wait until it is switched off; `empty` answers finds with nothing.
    """

    login: bool = True
    status: str = "OK"
    hidden: frozenset[str] = frozenset()
    version: str = "v0.30.1"
    version_hash: str = "0123456789"
    database_schema: int = 75
    app_schema: int = 75
    latency_s: float = 0.0
    image_latency_s: float = 0.0
    locked: int = 0
    locked_chance: float = 0.0
    failing: int = 0
    failing_status: int = 502
    hang: bool = False
    empty: bool = False
