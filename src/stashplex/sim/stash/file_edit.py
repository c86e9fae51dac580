"""Mutations of files: move, delete.

They stamp the file and not the scene, and no hook fires.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change
from stashplex.sim.stash.refusal import RequestRefused


def move(context: Context, given: Mapping[str, Any]) -> Change:
    """Move files to another folder, one of them also to another name."""
    library = context.library
    files = [library.files.get_known(each) for each in given["ids"]]
    if given.get("destination_folder_id") is not None:
        folder = library.folders.get_known(given["destination_folder_id"])
    elif given.get("destination_folder"):
        folder = library.folder_at(given["destination_folder"].rstrip("/"))
    else:
        raise RequestRefused("must specify destination folder or path")
    name = given.get("destination_basename")
    if name and len(files) != 1:
        raise RequestRefused("must specify one file when destination path is provided")
    for file in files:
        file.parent_folder, file.basename = folder, name or file.basename
        file.updated_at = library.stamper.now()
    library.revision += 1
    return Change(lambda: True)


def delete(context: Context, ids: Iterable[Any]) -> Change:
    """Delete files. A scene's primary file can only go when it is its only one."""
    library = context.library
    for file in [library.files.get_known(each) for each in ids]:
        scene = library.scene_of(file)
        if scene is not None:
            if scene.files[0] is file and len(scene.files) > 1:
                message = f"cannot delete primary file {file.path}"
                raise RequestRefused(message)
            scene.files = tuple(each for each in scene.files if each is not file)
        del library.files[file.id]
    library.revision += 1
    return Change(lambda: True)
