"""`python -m bench`: measures against the simulated servers, prints tables, and with `--write` renews the page.

Each measure runs alone, one after the other. Invariant: nothing is asserted; a target that is missed is said, and the
exit code stays 0.
"""

from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table

from bench import (
    first_sync,
    growth,
    hook,
    latency,
    ledger,
    listing,
    matching,
    page,
    processor,
    request_counts,
    retention,
)
from bench.result import Measure, Result, load_average, machine
from stashplex.base.clock import SystemClock

MEASURES = {
    module.NAME: Measure(module.NAME, module.measure)
    for module in (request_counts, first_sync, listing, matching, growth, ledger, retention, processor, hook, latency)
}
_console = Console(soft_wrap=False, width=150, highlight=False)


@click.command()
@click.option("--quick", "is_quick", is_flag=True, help="Small sizes and single runs: does it still work, roughly?")
@click.option("--only", type=click.Choice(list(MEASURES)), multiple=True, help="Only this measure; may be repeated.")
@click.option("--write", "is_written", is_flag=True, help="Put the figures into docs/reference/performance.md.")
def main(only: tuple[str, ...], *, is_quick: bool, is_written: bool) -> None:
    """Measure stashplex against simulated servers."""
    if is_quick and is_written:
        raise click.UsageError("The page holds figures of full runs: leave out --quick or --write.")
    clock = SystemClock()
    _console.print(machine())
    for name in only or MEASURES:
        load = load_average()
        started_s = clock.monotonic_s()
        result = replace(MEASURES[name].run(is_quick), load=load)
        _show(result, clock.monotonic_s() - started_s)
        if is_written:
            page.write([result], list(MEASURES), clock.now())


def _show(result: Result, took_s: float) -> None:
    _console.print(f"\n[bold]{result.title}[/bold] ({took_s:.0f} s, load average {result.load} at the start)")
    _console.print(result.how, markup=False)
    _console.print(_table(result.table))
    verdicts = [(row.what, row.target, row.measured, row.baseline, row.verdict.strip("*")) for row in result.rows]
    _console.print(_table([("what", "target", "measured", "baseline", ""), *verdicts]))


def _table(lines: tuple[tuple[str, ...], ...] | list[tuple[str, ...]]) -> Table:
    head, *body = lines
    table = Table(*head)
    for line in body:
        table.add_row(*line)
    return table


if __name__ == "__main__":
    main()
