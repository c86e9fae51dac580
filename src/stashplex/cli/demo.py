"""`stashplex demo`: placeholder until the world is served."""

import click


@click.command()
def demo() -> None:
    """Show it."""
