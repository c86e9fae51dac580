"""Which files each scene has, as a listing of Stash tells it: the document out, rows in.

Used by `client` alone. Invariant: a scene without a readable list of files voids the answer, since a file that is
missing from the listing would look like one that nobody has.
"""

import msgspec

from stashplex.domain.matching import ListedScene
from stashplex.domain.scene import SceneFile, SceneId
from stashplex.stash.codec import IncompleteAnswer, answer_of, decoder_of

FILES_DOCUMENT = """query Files($n: Int!, $where: SceneFilterType) {
  findScenes(filter: {per_page: $n, sort: "id", direction: ASC}, scene_filter: $where) {
    scenes { id files { path size duration } }
  }
}"""


class _File(msgspec.Struct, gc=False):
    path: str
    size: int | None = None
    duration: float | None = None


class _Scene(msgspec.Struct, gc=False):
    id: str | int
    files: list[_File]


class _Found(msgspec.Struct):
    scenes: list[_Scene] | None = None


class _Finding(msgspec.Struct):
    found: _Found | None = msgspec.field(name="findScenes", default=None)


_FILES = decoder_of(_Finding)


def parse_files(body: bytes) -> tuple[ListedScene, ...]:
    """Return a page of scenes with their files. Raises: msgspec.DecodeError."""
    found: _Finding = answer_of(_FILES, body)
    if found.found is None or found.found.scenes is None:
        raise IncompleteAnswer("no scenes")
    return tuple(
        ListedScene(
            SceneId(int(scene.id)), tuple(SceneFile(file.path, file.size, file.duration) for file in scene.files)
        )
        for scene in found.found.scenes
    )
