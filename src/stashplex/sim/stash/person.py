"""A person in front of the simulated server: arranges scenes and what they refer to, without requests.

Edits stamp `updated_at` as the server does, but no hook runs and nothing is counted. Names stand for entities and are
made when they are new.
"""

from collections.abc import Iterable
from typing import Any

from stashplex.sim.stash.library import Library, Table
from stashplex.sim.stash.model import Group, Membership, Performer, Picture, Scene, Studio, Tag

FileSpec = tuple[str, int, float, str]


class Person:
    """Arranges a library."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def add_scene(
        self,
        *,
        title: str = "",
        id: int | None = None,  # noqa: A002 - the field's name on the wire
        files: Iterable[FileSpec] = (),
        cover: Picture = None,
        **fields: Any,
    ) -> int:
        """Make a scene; return its id.

        Shape: `files` are (path, size, seconds, oshash), the first is the primary one; `fields` are as in
        `update_scene`, and `created_at`, `updated_at` as stored text.
        """
        library = self.library
        now = library.stamper.now()
        scene = Scene(library.scenes.take_id(id), now, now, title=title, cover=cover)
        scene.files = tuple(library.add_file(*spec) for spec in files)
        self._write(scene, fields)
        library.put_scene(scene)
        return scene.id

    def update_scene(self, id: int, **fields: Any) -> None:  # noqa: A002 - the field's name on the wire
        """Edit a scene.

        Shape: plain fields by name; `studio` a name, an id or None; `performers`, `tags`, `groups` lists of names or
        ids; `urls` a list; `files` as in `add_scene`; `cover` bytes, a callable or None.
        """
        scene = self.library.scenes[id]
        if "files" in fields:
            scene.files = tuple(self.library.add_file(*spec) for spec in fields.pop("files"))
        self._write(scene, fields)
        if "updated_at" not in fields:
            self.library.touch(scene)
        self.library.revision += 1

    def destroy_scene(self, id: int) -> None:  # noqa: A002 - the field's name on the wire
        """Take a scene out."""
        self.library.remove_scene(self.library.scenes[id])

    def performer(self, name: str | int, **fields: Any) -> int:
        """Return a performer's id, made when the name is new. Shape: `fields` are written in either case."""
        return int(self._entity("performers", Performer, name, fields).id)

    def studio(self, name: str | int, **fields: Any) -> int:
        """Return a studio's id, made when the name is new. Shape: `parent` may be a name."""
        return int(self._entity("studios", Studio, name, fields).id)

    def tag(self, name: str | int, **fields: Any) -> int:
        """Return a tag's id, made when the name is new."""
        return int(self._entity("tags", Tag, name, fields).id)

    def group(self, name: str | int, **fields: Any) -> int:
        """Return a group's id, made when the name is new."""
        return int(self._entity("groups", Group, name, fields).id)

    def _write(self, scene: Scene, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name == "studio":
                scene.studio = None if value is None else self._entity("studios", Studio, value)
            elif name == "performers":
                scene.performers = tuple(self._entity("performers", Performer, each) for each in value)
            elif name == "tags":
                scene.tags = tuple(self._entity("tags", Tag, each) for each in value)
            elif name == "groups":
                scene.groups = tuple(Membership(self._entity("groups", Group, each)) for each in value)
            elif name == "urls":
                scene.urls = tuple(value)
            else:
                setattr(scene, name, value)

    def _entity(self, table_name: str, make: Any, name: str | int, fields: dict[str, Any] | None = None) -> Any:
        table: Table[Any] = getattr(self.library, table_name)
        found = table[name] if isinstance(name, int) else table.named(name)
        if found is None:
            now = self.library.stamper.now()
            found = make(table.take_id((fields or {}).pop("id", None)), name, now, now)
            table.put(found)
        if fields:
            self._edit_entity(found, fields)
        return found

    def _edit_entity(self, found: Any, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name == "parent":
                parent = self._entity("studios", Studio, value)
                found.parent_studio = parent
                parent.child_studios += (found,)
            elif name == "tags":
                found.tags = tuple(self._entity("tags", Tag, each) for each in value)
            else:
                setattr(found, name, tuple(value) if isinstance(value, list) else value)
        if "updated_at" not in fields:
            found.updated_at = self.library.stamper.now()
        self.library.revision += 1
