"""What a sync would do, without doing it: the planner over many scenes, counted.

Used by `stashplex plan`. The planner has no way to write, so nothing can be written by mistake.
The invariant: each scene is in exactly one class; the classes add up to the scenes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stashplex.base.errors import MatchAmbiguous, PlexNotFound, SceneInvalid, ServerError
from stashplex.domain.link import Link
from stashplex.domain.scene import SceneId
from stashplex.engine.attempt import Failed
from stashplex.engine.itemplan import FarewellPlan
from stashplex.engine.planner import Planned, Planner, SceneGone, ScenePlan


class SceneClass(StrEnum):
    """What a sync would find."""

    IN_STEP = "in_step"
    NEVER_WRITTEN = "never_written"
    DIFFERENT = "different"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    INVALID = "invalid"
    FAILED = "failed"
    GONE = "gone"
    IGNORED = "ignored"
    FILTERED = "filtered"


@dataclass(slots=True)
class Survey:
    """The counts of a survey. Shape: `fields` counts changes by Plex's edit name, `reasons` keeps one per class."""

    scenes: int = 0
    classes: Counter[SceneClass] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    reasons: dict[SceneClass, str] = field(default_factory=dict)

    def add(self, planned: Planned) -> SceneClass:
        """Count one scene and return its class."""
        found = classify(planned)
        self.scenes += 1
        self.classes[found] += 1
        match planned:
            case ScenePlan(_, items, problem, refused, _):
                if refused:
                    self.reasons.setdefault(found, refused)
                for item in items:
                    self.fields.update(change.field.value for change in item.plan.changes)
                if problem is not None:
                    self.reasons.setdefault(found, str(problem))
            case Failed(error):
                self.reasons.setdefault(found, str(error))
            case SceneGone() | FarewellPlan():
                pass
        return found


def classify(planned: Planned) -> SceneClass:
    """Return the class of one planned scene."""
    match planned:
        case SceneGone() | FarewellPlan():
            is_wish = isinstance(planned, FarewellPlan) and planned.is_wish
            return SceneClass.IGNORED if is_wish else SceneClass.GONE
        case ScenePlan(_, _, problem) if problem is not None:
            return _class_of(problem)
        case ScenePlan(_, items, _, refused, _):
            if not items:
                return SceneClass.FILTERED if refused else SceneClass.IGNORED
            if all(item.plan.is_empty for item in items):
                return SceneClass.IN_STEP
            is_known = all(item.base is not None for item in items)
            return SceneClass.DIFFERENT if is_known else SceneClass.NEVER_WRITTEN
        case Failed(error):
            return _class_of(error)


def _class_of(error: Exception) -> SceneClass:
    match error:
        case PlexNotFound():
            return SceneClass.NOT_FOUND
        case MatchAmbiguous():
            return SceneClass.AMBIGUOUS
        case SceneInvalid():
            return SceneClass.INVALID
        case _:
            return SceneClass.FAILED


async def survey_batch(
    planner: Planner, scene_ids: Sequence[SceneId], links: Mapping[SceneId, tuple[Link, ...]], survey: Survey
) -> dict[SceneId, Planned]:
    """Plan one batch and count it. Raises: ServerError."""
    planned = await planner.plan_apart(scene_ids, links)
    for result in planned.values():
        if isinstance(result, Failed) and isinstance(result.error, ServerError):
            raise result.error
        survey.add(result)
    return planned
