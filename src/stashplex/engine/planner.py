"""Finds out, for a batch of scenes, what would have to be written: one read of Stash, one of Plex.

Used by the worker before it writes and by `stashplex plan`, which writes nothing. It never sends an edit.
The invariant: a plan rests on an item that was just read and that shows the file by which it was matched.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from anyio.lowlevel import checkpoint

from stashplex.base.errors import (
    ConfigError,
    MatchAmbiguous,
    PlexNotFound,
    Server,
    ServerError,
    ServerUnreachable,
    SideEmpty,
    StashplexError,
    StoreError,
)
from stashplex.domain.document import Base
from stashplex.domain.filtering import refusal
from stashplex.domain.item import Item, RatingKey
from stashplex.domain.link import Link
from stashplex.domain.mapping import desired
from stashplex.domain.matching import Judgement, Match, is_still_matched
from stashplex.domain.merge import believed, united
from stashplex.domain.pathmap import path_key
from stashplex.domain.plan import observed_document, plan, trusted
from stashplex.domain.policy import MergeRules
from stashplex.domain.scene import Scene, SceneId
from stashplex.engine.attempt import Failed, attempt
from stashplex.engine.crawl import Crawler
from stashplex.engine.farewell import Farewell
from stashplex.engine.itemplan import FarewellPlan, ItemPlan
from stashplex.engine.mapping_rules import Rulebook
from stashplex.engine.matcher import Matcher
from stashplex.engine.posters import THUMB, PosterWay, poster_way
from stashplex.engine.target import Target
from stashplex.plex.client import PlexClient
from stashplex.plex.edit import fit, fit_texts
from stashplex.stash.client import StashClient
from stashplex.store.bases import Bases
from stashplex.store.index import PlexIndex

SAMPLE = 4
"""So many scenes, spread over a batch, are asked for alone before it is blamed on scenes."""

READ_BATCH = 100
"""Items per read. Source: plex-wire.md 3, 50 to 100 ids per call."""


@dataclass(frozen=True, slots=True)
class SceneGone:
    """Stash does not have the scene any more."""


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """What must be written for one scene.

    Shape: no item when a person wants the scene left alone, or when a filter does, for the reason in `refused`;
    `problem` is why another library's item is not among them, `untouched` are the items that a library's filter keeps
    as they are.
    """

    scene: Scene
    items: tuple[ItemPlan, ...]
    problem: StashplexError | None = None
    refused: str = ""
    untouched: frozenset[RatingKey] = frozenset()


Planned = ScenePlan | SceneGone | FarewellPlan | Failed


class Planner:
    """Plans batches of up to 100 scenes against one Plex server."""

    def __init__(
        self,
        *,
        stash: StashClient,
        plex: PlexClient,
        index: PlexIndex,
        bases: Bases,
        crawler: Crawler,
        target: Target,
        matcher: Matcher,
        rules: Rulebook,
        merging: MergeRules,
        farewell: Farewell,
    ) -> None:
        self._stash = stash
        self._plex = plex
        self._index = index
        self._bases = bases
        self._crawler = crawler
        self._target = target
        self._matcher = matcher
        self._rules = rules
        self._merging = merging
        self._farewell = farewell

    async def plan(
        self, scene_ids: Sequence[SceneId], links: Mapping[SceneId, tuple[Link, ...]]
    ) -> dict[SceneId, Planned]:
        """Return what must be written for each of these scenes. Raises: ServerError."""
        scenes = await self._stash.scenes(scene_ids)
        ignored = self._matcher.ignored(scene_ids)
        sections = [section.key for section in self._target.sections]
        refused = {scene.id: why for scene in scenes.values() if (why := self._rules.refusal(scene, sections))}
        wishes = self._farewell.wishes(scene_ids)
        alone = {*ignored, *refused, *wishes}
        wanted = [scene for scene in scenes.values() if scene.id not in alone]
        matches = await self._matched(wanted)
        items = await self.read(_keys(matches))
        stale = [scenes[scene_id] for scene_id, judged in matches.items() if not _is_fresh(judged, items)]
        if stale and await self._refreshed({scene.id: matches[scene.id] for scene in stale}, items):
            matches |= await self._matcher.judge_all(stale)
            items |= await self.read(_keys({scene.id: matches[scene.id] for scene in stale}))
        known = {link.rating_key for scene_id, some in links.items() if scene_id in scenes for link in some}
        bases = self._bases.of(self._target.plex_id, items.keys() - known)
        gone = {scene_id: links.get(scene_id, ()) for scene_id in scene_ids if scene_id not in scenes}
        planned: dict[SceneId, Planned] = dict(await self._farewell.gone(gone))
        for scene_id in scene_ids:
            await checkpoint()  # planning a batch takes some 50 ms: the writes of the other pass go on meanwhile
            scene = scenes.get(scene_id)
            if (wish := wishes.get(scene_id)) and not wish.is_done:
                parted = await attempt(self._farewell.wished, scene_id, links.get(scene_id, ()), wish)
                planned[scene_id] = parted if isinstance(parted, Failed) else parted.value
                continue
            if scene is None:
                planned.setdefault(scene_id, SceneGone())
                continue
            if scene_id in alone:
                by_person = scene_id in ignored or scene_id in wishes
                planned[scene_id] = ScenePlan(scene, (), refused="" if by_person else refused[scene_id])
                continue
            result = matches[scene_id]
            if isinstance(result, Failed):
                planned[scene_id] = result
                continue
            outcome = await attempt(self._planned, scene, result, items, _Known(links.get(scene_id, ()), bases))
            planned[scene_id] = outcome if isinstance(outcome, Failed) else outcome.value
        return planned

    async def plan_apart(
        self, scene_ids: Sequence[SceneId], links: Mapping[SceneId, tuple[Link, ...]]
    ) -> dict[SceneId, Planned]:
        """Do as `plan`, but let a scene or item that cannot be read fail alone.

        Where scenes from all over the batch fail alone as well, it is the server that talks nonsense, not they.
        Raises: ServerError, SideEmpty, ConfigError, StoreError.
        """
        whole = await self._plan_or_fail(scene_ids, links)
        if not isinstance(whole, Failed):
            return whole
        if len(scene_ids) > SAMPLE:
            spread = [scene_ids[index * (len(scene_ids) - 1) // (SAMPLE - 1)] for index in range(SAMPLE)]
            alone = [await self._plan_or_fail([scene_id], links) for scene_id in spread]
            if all(isinstance(one, Failed) for one in alone):
                raise ServerUnreachable(
                    Server.PLEX,
                    f"No answer can be understood: {whole.error}",
                    hint="Look for a proxy between us and the servers.",
                )
        return await self._halved(scene_ids, links, whole)

    async def _halved(
        self, scene_ids: Sequence[SceneId], links: Mapping[SceneId, tuple[Link, ...]], whole: Failed
    ) -> dict[SceneId, Planned]:
        """Plan the halves of what failed as a whole, down to single scenes."""
        if len(scene_ids) == 1:
            return {scene_ids[0]: whole}
        middle = len(scene_ids) // 2
        planned: dict[SceneId, Planned] = {}
        for half in (scene_ids[:middle], scene_ids[middle:]):
            result = await self._plan_or_fail(half, links)
            planned |= await self._halved(half, links, result) if isinstance(result, Failed) else result
        return planned

    async def _plan_or_fail(
        self, scene_ids: Sequence[SceneId], links: Mapping[SceneId, tuple[Link, ...]]
    ) -> dict[SceneId, Planned] | Failed:
        """Return plans, or the failure that some of the scenes cause. Raises what no scene can cause."""
        result = await attempt(self.plan, scene_ids, links)
        if not isinstance(result, Failed):
            return result.value
        if isinstance(result.error, ServerError | SideEmpty | ConfigError | StoreError):
            raise result.error
        return result

    async def _refreshed(self, stale: Mapping[SceneId, Judgement | Failed], items: Mapping[RatingKey, Item]) -> bool:
        """Bring the index in step where it named items that are gone; tell whether matching again may help.

        Only what was asked for can be gone: meanwhile another pass may have put new items into the index.
        """
        gone = set(_keys(stale)) - items.keys()
        for key in gone:
            self._index.forget(self._target.plex_id, key)
        return await self._crawler.refresh_once() or bool(gone)

    async def matches(self, scene_ids: Sequence[SceneId]) -> dict[SceneId, tuple[Match, ...]]:
        """Return the items of these scenes; scenes without any are missing. Raises: ServerError."""
        scenes = await self._stash.scenes(scene_ids)
        results = await self._matched(tuple(scenes.values()))
        return {
            scene_id: judged.matches
            for scene_id, judged in results.items()
            if isinstance(judged, Judgement) and judged.matches
        }

    async def read(self, rating_keys: Collection[RatingKey]) -> dict[RatingKey, Item]:
        """Return the items with these keys as Plex shows them now; those that are gone are missing."""
        keys = list(dict.fromkeys(rating_keys))
        items: dict[RatingKey, Item] = {}
        for start in range(0, len(keys), READ_BATCH):
            items |= await self._plex.items(keys[start : start + READ_BATCH])
        return items

    async def _matched(self, scenes: Sequence[Scene]) -> dict[SceneId, Judgement | Failed]:
        """Match a batch; when Plex seems to lack a file or to have it twice, look once more in a refreshed index."""
        matches = await self._matcher.judge_all(scenes)
        doubtful = [scene for scene in scenes if _is_doubtful(matches[scene.id])]
        if doubtful and await self._crawler.refresh_once():
            matches |= await self._matcher.judge_all(doubtful)
        return matches

    async def _planned(
        self,
        scene: Scene,
        judged: Judgement,
        items: Mapping[RatingKey, Item],
        known: "_Known",
    ) -> ScenePlan:
        problem = next(iter(judged.problems), None)
        if problem is not None and not judged.matches:
            raise problem
        by_key = {link.rating_key: link for link in known.links}
        plans: list[ItemPlan] = []
        refused: dict[RatingKey, str] = {}
        for found in judged.matches:
            rules = self._rules.of(found.section)
            why = refusal(scene, rules.filters)
            if why:
                refused[found.rating_key] = why
                continue
            item = items.get(found.rating_key)
            if item is None or not is_still_matched(found, item):
                raise PlexNotFound(
                    f"Item {found.rating_key} does not show {found.file} any more.",
                    hint="Nothing to do: it is looked up again with the next try.",
                )
            link = by_key.get(found.rating_key)
            base = (
                believed(link.base, link.intent, observed_document(item))
                if link
                else known.bases.get((found.rating_key, path_key(found.file)))
            )
            base = trusted(base, item)
            document = fit_texts(desired(scene, rules.options))
            merged = plan(
                item, document, base, self._merging, wanted=rules.options.fields, claimed=link.intent if link else None
            )
            merged = self._farewell.welcome(merged, item, base)
            planned = fit(merged, owned=None if base is None else base.document)
            intent = united(planned.base, link.intent if link else None, base)
            is_begun = link is not None and link.intent is not None
            poster = poster_way(item, base, self._merging, has_poster=rules.has_poster, is_begun=is_begun)
            if poster is PosterWay.HAND_BACK:
                planned = replace(planned, unlocks=planned.unlocks | {THUMB})
            plans.append(ItemPlan(found, item, planned, base, intent, poster))
        reason = "" if plans else next(iter(refused.values()), "")
        return ScenePlan(scene, tuple(plans), problem, reason, frozenset(refused))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store knows of a scene's items: its own links, and what was written to other scenes' items."""

    links: Sequence[Link]
    bases: Mapping[tuple[RatingKey, str], Base]


def _keys(matches: Mapping[SceneId, Judgement | Failed]) -> list[RatingKey]:
    return [found.rating_key for judged in matches.values() for found in _found(judged)]


def _found(judged: Judgement | Failed) -> tuple[Match, ...]:
    return judged.matches if isinstance(judged, Judgement) else ()


def _is_fresh(judged: Judgement | Failed, items: Mapping[RatingKey, Item]) -> bool:
    """Tell whether each match still stands on the item just read."""
    return all((item := items.get(found.rating_key)) and is_still_matched(found, item) for found in _found(judged))


def _is_doubtful(judged: Judgement | Failed) -> bool:
    """Tell whether an index that is behind may be all that is wrong."""
    return isinstance(judged, Judgement) and any(
        isinstance(problem, PlexNotFound | MatchAmbiguous) for problem in judged.problems
    )
