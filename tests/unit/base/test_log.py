"""Logging never shows a secret."""

import io

import structlog

from stashplex.base import log


def test_secrets_are_masked_in_every_value_and_traceback() -> None:
    out = io.StringIO()
    log.configure(is_verbose=True, secrets=["s3cr3t"], stream=out)
    logger = structlog.get_logger()
    try:
        raise ValueError("url was http://plex?X-Plex-Token=s3cr3t")
    except ValueError:
        logger.exception("request_failed", url="http://x/?apikey=s3cr3t", nested={"token": "s3cr3t"})
    assert "s3cr3t" not in out.getvalue()
    assert "***" in out.getvalue()


def test_quiet_logging_shows_warnings_only() -> None:
    out = io.StringIO()
    log.configure(is_verbose=False, stream=out)
    structlog.get_logger().info("entry_synced")
    structlog.get_logger().warning("entry_held", scene_id=4)
    assert "entry_synced" not in out.getvalue()
    assert "entry_held" in out.getvalue()
