"""The page of figures, docs/reference/performance.md: its tables are written here, its prose by people.

A block stands between `<!-- bench:NAME -->` and `<!-- /bench -->`: one for each measure, and the summary, where each
line holds the name of its measure as a comment. Invariant: only what was measured changes.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.result import Result, Row, machine

PAGE = Path(__file__).parents[1] / "docs/reference/performance.md"
SUMMARY = "summary"
SUMMARY_HEAD = ("what", "target", "measured", "baseline in the same run", "")
_END = "<!-- /bench -->"


def write(results: Sequence[Result], order: Sequence[str], now: datetime) -> None:
    """Put results into the page. Shape: `order` names all measures. Raises: ValueError when the page lacks a block."""
    text = PAGE.read_text(encoding="utf-8")
    lines = {name: _lines_of(_block(text, SUMMARY), name) for name in order}
    for result in results:
        lines[result.name] = [_summary_line(row, result.name) for row in result.rows]
        text = _replaced(text, result.name, _rendered(result, now))
    head = [_line(SUMMARY_HEAD), _rule(SUMMARY_HEAD)]
    text = _replaced(text, SUMMARY, "\n".join([*head, *(line for name in order for line in lines[name])]))
    PAGE.write_text(text, encoding="utf-8")


def _rendered(result: Result, now: datetime) -> str:
    head, *body = result.table
    table = "\n".join([_line(head), _rule(head), *map(_line, body)])
    return f"{result.how}\n\n{table}\n\n{now:%Y-%m-%d}; {machine()}; load average {result.load} at the start."


def _summary_line(row: Row, name: str) -> str:
    return _line((row.what, row.target, row.measured, row.baseline, f"{row.verdict} {_mark(name)}"))


def _lines_of(block: str, name: str) -> list[str]:
    return [line for line in block.splitlines() if line.endswith(f"{_mark(name)} |")]


def _mark(name: str) -> str:
    return f"<!-- {name} -->"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(cells: Sequence[str]) -> str:
    return f"|{'---|' * len(cells)}"


def _block(text: str, name: str) -> str:
    return text.split(_begin(name))[1].split(_END, 1)[0]


def _replaced(text: str, name: str, block: str) -> str:
    before, after = text.split(_begin(name))
    return f"{before}{_begin(name)}\n{block}\n{_END}{after.split(_END, 1)[1]}"


def _begin(name: str) -> str:
    return f"<!-- bench:{name} -->"
