"""`stashplex stop`: ends the service of a data folder, after what it is writing.

It asks the service itself, with the key that only its owner can read; no process number is trusted. Invariant: when
it says that the service has ended, its seat is free.
"""

from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click

from stashplex.base import log
from stashplex.base.config import secrets_of
from stashplex.base.errors import ConfigError
from stashplex.cli.run import common_options, load_layers, print_json, reports_errors, results
from stashplex.store import seat

ASK_S = 5.0
PATIENCE_S = 30.0


@click.command()
@common_options
@reports_errors
def stop(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """End the service that runs on this data folder."""
    settings = load_layers(config_file).settings
    log.configure(is_verbose=verbose, secrets=secrets_of(settings))
    data_dir = settings.data_dir
    with seat.taken(data_dir) as is_free:
        is_running = not is_free
    if is_running:
        _ask(data_dir)
        with seat.taken(data_dir, patience_s=PATIENCE_S) as is_free:
            if not is_free:
                raise ConfigError(
                    "The service still finishes what it is writing.", hint="Wait a little, or end its process."
                )
    if as_json:
        print_json({"stopped": is_running})
    else:
        results.print("The service has ended." if is_running else "No service runs on this data folder.")


def _ask(data_dir: Path) -> None:
    """Ask the service to end. Raises: ConfigError when it cannot be asked."""
    address = seat.find(data_dir)
    url = urlsplit(address.api if address else "")
    if address is None or url.hostname is None:
        raise ConfigError("The service cannot be asked: it waits for its settings.", hint="End its process.")
    connection = HTTPConnection(url.hostname, url.port, timeout=ASK_S)
    try:
        connection.request("POST", "/api/stop", headers={"Authorization": f"Bearer {address.key}"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise ConfigError(f"The service does not answer ({type(error).__name__}).", hint="End its process.") from error
    finally:
        connection.close()
    if status != 202:
        raise ConfigError(f"The service refuses with {status}.", hint="End its process.")
