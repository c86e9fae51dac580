"""When an entry is tried again: exponential backoff with full jitter.

Pure: the chance is handed in. Source of the numbers: issue "Reliability", style.md (errors).
"""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How one kind of error is retried. Units: seconds. `limit` counts retries, not the first attempt."""

    base_s: float
    cap_s: float
    limit: int

    def delay(self, retry_count: int, chance: random.Random) -> timedelta:
        """Return the wait before retry `retry_count` (from 1): uniform in 0 … min(cap, base · 2^(n-1))."""
        ceiling_s = min(self.cap_s, self.base_s * 2.0 ** min(retry_count - 1, 60))
        return timedelta(seconds=chance.uniform(0.0, ceiling_s))


NOT_FOUND_TYPE = "PlexNotFound"
"""The error type that is a wait, not a fault."""

ORDINARY = RetryRule(base_s=5.0, cap_s=80.0, limit=5)
NOT_FOUND = RetryRule(base_s=30.0, cap_s=600.0, limit=12)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The rules of one installation."""

    ordinary: RetryRule = ORDINARY
    not_found: RetryRule = NOT_FOUND


DEFAULT_RULES = RetryRules()


def rule_for(error_type: str | None, rules: RetryRules = DEFAULT_RULES) -> RetryRule:
    """Return the rule for an error type."""
    return rules.not_found if error_type == NOT_FOUND_TYPE else rules.ordinary
