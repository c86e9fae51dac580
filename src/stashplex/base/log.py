"""Logging: structlog to standard error, one line per event, secrets masked before anything is rendered.

Standard output belongs to results; nothing here writes to it. Events are named in the past tense.
"""

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"


class SecretMask:
    """A structlog processor that replaces every known secret in every value by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these as well from now on."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *(secret for secret in secrets if secret))))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event with all secrets masked."""
        return {key: self._masked(value) for key, value in event.items()}

    def _masked(self, value: object) -> object:
        if isinstance(value, bool | int | float | None):
            return value
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def configure(
    *, is_verbose: bool, secrets: Iterable[str] = (), stream: TextIO | None = None, is_service: bool = False
) -> None:
    """Set logging up once per process.

    Shape: `stream` None means standard error. A service's log is read days later: it has dates, and says what a
    person at a terminal sees anyway.
    """
    out = stream or sys.stderr
    quiet = logging.INFO if is_service else logging.WARNING
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if is_service else "%H:%M:%S", utc=False),
        structlog.processors.format_exc_info,
        SecretMask(secrets),
        structlog.dev.ConsoleRenderer(colors=False, pad_event_to=24),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if is_verbose else quiet),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def mask(secrets: Iterable[str]) -> None:
    """Mask these as well from now on: secrets may change while a service runs."""
    known = tuple(secrets)
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, SecretMask):
            processor.add(known)
