"""Each row of the table in docs/explanation/what-reaches-plex.md, played with the real hook and real polls."""

import base64
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from integration.gathering.matrix import FILMS, Matrix, a_matrix
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.stash.cover import plain_png

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs/explanation/what-reaches-plex.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| (hook|poll|sweep|nothing) \|", TABLE, re.MULTILINE)
PLAYED = [(change, by) for change, by in ROWS if not change.endswith(" *")]
EVERY = set(range(1, FILMS + 1))

Act = Callable[[Matrix], Awaitable[None]]
ACTS: dict[str, tuple[Act, set[int]]] = {}
"""What happens, and which scenes it concerns."""


def act(change: str, *scenes: int) -> Callable[[Act], Act]:
    def note(function: Act) -> Act:
        ACTS[change] = (function, set(scenes))
        return function

    return note


def asks(change: str, document: str, *scenes: int) -> None:
    """Note a change that is one request."""

    async def ask(matrix: Matrix) -> None:
        await matrix.client.ask(document)

    ACTS[change] = (ask, set(scenes))


def runs(change: str, document: str, *scenes: int) -> None:
    """Note a change that a job makes."""

    async def job(matrix: Matrix) -> None:
        await matrix.job(document)

    ACTS[change] = (job, set(scenes))


SYNCED = (
    'title: "New", details: "New", date: "2020-02-02", rating100: 50, director: "New", studio_id: null, '
    "performer_ids: [], tag_ids: []"
)
UNSYNCED = 'code: "C", urls: ["http://x.test"], organized: true, groups: [], gallery_ids: [], play_count: 3'
PIXEL = "data:image/png;base64," + base64.b64encode(plain_png(1)).decode()
SCAN = "mutation { job: metadataScan(input: {}) }"

asks("a scene is made", 'mutation { sceneCreate(input: {title: "new"}) { id } }', FILMS + 1)
asks(
    "a scene is edited: title, details, date, rating, director, studio, performers, tags",
    f'mutation {{ sceneUpdate(input: {{id: "1", {SYNCED}}}) {{ id }} }}',
    1,
)
asks(
    "a scene is edited: code, URLs, organized, groups, galleries, markers, plays",
    f'mutation {{ sceneUpdate(input: {{id: "1", {UNSYNCED}}}) {{ id }} }}',
)
asks(
    "several scenes are edited",
    'mutation { scenesUpdate(input: [{id: "1", title: "A"}, {id: "2", code: "B", details: "C"}]) { id } }',
    *(1, 2),
)
asks(
    "many scenes are edited at once",
    'mutation { bulkSceneUpdate(input: {ids: ["1", "2", "3"], rating100: 20}) { id } }',
    *(1, 2, 3),
)
asks("a cover is uploaded", f'mutation {{ sceneUpdate(input: {{id: "1", cover_image: "{PIXEL}"}}) {{ id }} }}', 1)
asks("a cover is made from the video", 'mutation { sceneGenerateScreenshot(id: "1") }', 1)
runs("covers are generated", 'mutation { job: metadataGenerate(input: {covers: true, sceneIDs: ["1", "2"]}) }', 1, 2)
asks("scenes are merged", 'mutation { sceneMerge(input: {source: ["2"], destination: "1"}) { id } }', 1)
runs("a rescan", "mutation { job: metadataScan(input: {rescan: true}) }", *EVERY)
runs("a scan finds nothing", SCAN)
asks("a scene is deleted", 'mutation { sceneDestroy(input: {id: "1"}) }', 1)
runs("a perceptual hash is made", "mutation { job: metadataGenerate(input: {phashes: true}) }")
asks(
    "a play, an O, a position",
    'mutation { sceneAddPlay(id: "1") { count } sceneAddO(id: "1") { count } '
    'sceneSaveActivity(id: "1", resume_time: 3, playDuration: 4) }',
)


@act("a bulk edit whose browser went away", 1, 2, 3)
@act("scenes are edited while the plugin is off", 1, 2, 3)
async def _(matrix: Matrix) -> None:
    matrix.sim.settings.disabled.add("stashplex")
    await matrix.client.ask('mutation { bulkSceneUpdate(input: {ids: ["1", "2", "3"], rating100: 20}) { id } }')


@act("auto-tag finds something", 1)
async def _(matrix: Matrix) -> None:
    matrix.sim.tag(Catalogue().film(1).stash_path.rpartition("/")[2].partition(".")[0])
    await matrix.polled()
    matrix.clock.move(minutes=1)
    await matrix.job('mutation { job: metadataAutoTag(input: {tags: ["*"]}) }')


@act("a scan finds a new file", FILMS + 1)
async def _(matrix: Matrix) -> None:
    matrix.sim.disk.put(f"{matrix.sim.settings.stashes[0]}/new.mp4")
    await matrix.job(SCAN)


@act("a scan joins a copy of a file", 1)
async def _(matrix: Matrix) -> None:
    film = Catalogue().film(1)
    matrix.sim.disk.put(f"{film.stash_path}.copy.mp4", film.size, film.duration_s, film.oshash)
    await matrix.job(SCAN)


@act("a scan finds a file renamed", 1)
async def _(matrix: Matrix) -> None:
    path = Catalogue().film(1).stash_path
    matrix.sim.move_file(path, f"{path}.renamed.mp4")
    await matrix.job(SCAN)


@act("a scan finds a file touched", 1)
async def _(matrix: Matrix) -> None:
    matrix.sim.disk.touch(Catalogue().film(1).stash_path, "2026-07-01T12:00:30+02:00")
    await matrix.job(SCAN)


@act("a scan finds a folder renamed")
async def _(matrix: Matrix) -> None:
    folder = Catalogue().film(1).stash_path.rpartition("/")[0]
    matrix.sim.disk.move_folder(folder, f"{folder} renamed")
    await matrix.job(SCAN)


@act("a file is deleted, a scan follows")
async def _(matrix: Matrix) -> None:
    matrix.sim.disk.remove(Catalogue().film(1).stash_path)
    await matrix.job(SCAN)


@act("a clean removes a scene", 1)
async def _(matrix: Matrix) -> None:
    matrix.sim.disk.remove(Catalogue().film(1).stash_path)
    await matrix.job("mutation { job: metadataClean(input: {dryRun: false}) }")


@act("a clean removes one of several files", 1)
async def _(matrix: Matrix) -> None:
    film = Catalogue().film(1)
    copy = f"{film.stash_path}.copy.mp4"
    files = [(path, film.size, film.duration_s, film.oshash) for path in (film.stash_path, copy)]
    matrix.sim.update_scene(1, files=files)
    await matrix.polled()
    matrix.clock.move(minutes=1)
    matrix.sim.disk.remove(copy)
    await matrix.job("mutation { job: metadataClean(input: {dryRun: false}) }")


@act("a file is moved in Stash", 1)
async def _(matrix: Matrix) -> None:
    number = matrix.sim.library.scenes[1].files[0].id
    folder = f"{matrix.sim.settings.stashes[0]}/x"
    await matrix.client.ask(f'mutation {{ moveFiles(input: {{ids: ["{number}"], destination_folder: "{folder}"}}) }}')


@act("a file is given to another scene")
async def _(matrix: Matrix) -> None:
    film = Catalogue().film(2)
    paths = (film.stash_path, f"{film.stash_path}.copy.mp4")
    matrix.sim.update_scene(2, files=[(path, film.size, film.duration_s, film.oshash) for path in paths])
    await matrix.polled()
    matrix.clock.move(hours=30)  # the file's stamp is out of what a poll looks at
    await matrix.polled()
    number = matrix.sim.library.scenes[2].files[1].id
    await matrix.client.ask(f'mutation {{ sceneAssignFile(input: {{scene_id: "1", file_id: "{number}"}}) }}')


@act("a file is deleted in Stash")
async def _(matrix: Matrix) -> None:
    number = matrix.sim.library.scenes[1].files[0].id
    await matrix.client.ask(f'mutation {{ deleteFiles(ids: ["{number}"]) }}')


@act("a marker is made, edited, deleted")
async def _(matrix: Matrix) -> None:
    tag = matrix.sim.tag("red")
    await matrix.client.ask(
        'mutation { sceneMarkerCreate(input: {title: "m", seconds: 1, scene_id: "1", '
        f'primary_tag_id: "{tag}"}}) {{ id }} }}'
    )
    await matrix.client.ask('mutation { sceneMarkerUpdate(input: {id: "1", title: "n"}) { id } }')
    await matrix.client.ask('mutation { sceneMarkerDestroy(id: "1") }')


@act("a gallery is edited, or gets scenes")
async def _(matrix: Matrix) -> None:
    await matrix.client.ask('mutation { galleryCreate(input: {title: "g"}) { id } }')
    await matrix.client.ask('mutation { galleryUpdate(input: {id: "1", title: "h", scene_ids: ["1"]}) { id } }')


def renames(
    change: str, kind: str, name: str, fields: str = 'name: "Another"', *, scenes: tuple[int, ...] = (1,)
) -> None:
    """Note an edit of something that scene 1 refers to."""

    async def rename(matrix: Matrix) -> None:
        number = getattr(matrix.sim, kind)(name)
        await matrix.client.ask(f'mutation {{ {kind}Update(input: {{id: "{number}", {fields}}}) {{ id }} }}')

    ACTS[change] = (rename, set(scenes))


renames("a performer is renamed", "performer", "Ann")
renames("a performer is edited: anything but the name", "performer", "Ann", "favorite: true, rating100: 5", scenes=())
renames("a studio is renamed", "studio", "Below")
renames("a parent studio is renamed", "studio", "Above")
renames("a tag is renamed", "tag", "red")
renames("a group is renamed", "group", "Saga")


@act("a performer, studio or tag is renamed while the plugin is off", 1)
async def _(matrix: Matrix) -> None:
    matrix.sim.settings.disabled.add("stashplex")
    number = matrix.sim.performer("Ann")
    await matrix.client.ask(f'mutation {{ performerUpdate(input: {{id: "{number}", name: "Another"}}) {{ id }} }}')


def destroys(change: str, kind: str, name: str, *, is_off: bool = False) -> None:
    """Note that something goes that scene 1 refers to."""

    async def destroy(matrix: Matrix) -> None:
        if is_off:
            matrix.sim.settings.disabled.add("stashplex")
        number = getattr(matrix.sim, kind)(name)
        await matrix.client.ask(f'mutation {{ {kind}Destroy(input: {{id: "{number}"}}) }}')

    ACTS[change] = (destroy, EVERY)


destroys("a performer is deleted", "performer", "Ann")
destroys("a studio is deleted", "studio", "Below")
destroys("a tag is deleted", "tag", "red")
destroys("a performer is deleted while the plugin is off", "performer", "Ann", is_off=True)


@act("tags are merged", 1)
async def _(matrix: Matrix) -> None:
    red, blue = matrix.sim.tag("red"), matrix.sim.tag("blue")
    await matrix.client.ask(f'mutation {{ tagsMerge(input: {{source: ["{red}"], destination: "{blue}"}}) {{ id }} }}')


@act("performers are merged", *EVERY)
async def _(matrix: Matrix) -> None:
    ann, bob = matrix.sim.performer("Ann"), matrix.sim.performer("Bob")
    await matrix.client.ask(
        f'mutation {{ performerMerge(input: {{source: ["{bob}"], destination: "{ann}"}}) {{ id }} }}'
    )


def test_each_row_is_played() -> None:
    assert len(ROWS) > 40
    assert sorted(ACTS) == sorted(change for change, _ in PLAYED)


@pytest.mark.parametrize(("change", "by"), PLAYED, ids=[change for change, _ in PLAYED])
async def test_a_change_arrives_as_the_table_says(tmp_path: Path, change: str, by: str) -> None:
    play, scenes = ACTS[change]
    async with a_matrix(tmp_path) as matrix:
        await play(matrix)
        heard = await matrix.heard()
        assert scenes <= heard if by == "hook" else not heard
        if by == "hook":
            assert await matrix.is_in_step()
            return
        matrix.clock.move(minutes=1)
        polled = await matrix.polled()
        assert scenes <= polled
        assert by != "sweep" or not polled
        assert by != "poll" or scenes
        assert await matrix.is_in_step() or by == "sweep"


def test_the_table_tells_of_every_way() -> None:
    assert {by for _, by in ROWS} == {"hook", "poll", "sweep", "nothing"}
