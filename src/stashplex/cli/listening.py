"""What a service opens to other programs while it has the seat: the API, the ear for pokes, and the file about both.

Used by `serve` alone. The invariant: whatever is opened here is closed when the block ends, and the API never listens
beyond this machine without a key that a person chose.
"""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from stashplex.app import SPOOL_NAME, App
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.engine.service import Service
from stashplex.store import seat
from stashplex.version import __version__
from stashplex.web.api import Inbox, build_api
from stashplex.web.server import LOOPBACK, bind, hearing, serving


@asynccontextmanager
async def listening(
    app: App, service: Service, reload: Callable[[], None], stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Serve the API and hear pokes for the time of the block. Raises: ConfigError, StoreError."""
    settings = app.settings
    host, port = _address(settings)
    key = settings.service_key.get_secret_value() or secrets.token_urlsafe(32)
    inbox = Inbox(settings.data_dir / SPOOL_NAME, app.clock, service.look_now, reload, stop)
    api = build_api(app.facts(), inbox, key=key, names=_names(settings))
    async with hearing(service.look_now) as poke_port, serving(bind(host, port), api) as api_port:
        reached = LOOPBACK if ip_address(host).is_unspecified else host
        url = f"http://[{reached}]:{api_port}" if ":" in reached else f"http://{reached}:{api_port}"
        address = seat.Address(os.getpid(), poke_port, url, key, __version__, sys.executable)
        with seat.told(settings.data_dir, address):
            yield


def _address(settings: Settings) -> tuple[str, int]:
    """Return where to listen. Raises: ConfigError."""
    host, _, port = settings.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(LOOPBACK if host.casefold() == "localhost" else host)
    except ValueError:
        raise ConfigError(
            f"The setting listen names no address of this machine: {host}.",
            hint="Write 127.0.0.1:9998, or 0.0.0.0:9998 for all addresses.",
        ) from None
    if not address.is_loopback and not settings.service_key.get_secret_value():
        raise ConfigError(
            f"The service may not listen on {settings.listen} without a key.",
            hint="Set service_key to a long random text, here and in the plugin; or listen on 127.0.0.1.",
        )
    return str(address), int(port)


def _names(settings: Settings) -> tuple[str, ...]:
    name = urlsplit(settings.service_url).hostname
    return (name,) if name else ()
