"""What the settings say about how things are done, as values that the parts of the engine take.

Built once by `app`. The invariant: a setting that is wrong in itself is refused here, before anything runs.
"""

from dataclasses import dataclass

from stashplex.base.config import Settings
from stashplex.domain.breaker import BreakerRules
from stashplex.domain.pathmap import PathCase, PathMap, parse_path_map
from stashplex.domain.retry import RetryRule, RetryRules


@dataclass(frozen=True, slots=True)
class MatchRules:
    """How scenes are matched."""

    path_map: PathMap
    may_match_names: bool = False


def match_rules(settings: Settings) -> MatchRules:
    """Return how scenes are matched. Raises: ConfigError for a wrong path map."""
    path_map = parse_path_map(
        settings.path_map,
        stash_case=PathCase(settings.stash_path_case),
        plex_case=PathCase(settings.plex_path_case),
    )
    return MatchRules(path_map, settings.match_by_name)


def breaker_rules(settings: Settings) -> BreakerRules:
    """Return when a circuit breaker opens and closes."""
    return BreakerRules(
        failure_threshold=settings.failure_threshold,
        recovery_timeout_s=settings.recovery_timeout_s,
        success_threshold=settings.success_threshold,
    )


def retry_rules(settings: Settings) -> RetryRules:
    """Return when an entry is tried again."""
    return RetryRules(
        ordinary=RetryRule(settings.retry_base_s, settings.retry_cap_s, settings.retry_limit),
        not_found=RetryRule(settings.not_found_base_s, settings.not_found_cap_s, settings.not_found_limit),
    )
