"""House rules that no linter knows (docs: CONTRIBUTING.md). One broken rule is one failing line."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from stashplex.base import errors

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BROAD = {"Exception", "BaseException"}


def _trees() -> Iterator[tuple[str, ast.Module, str]]:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(ROOT).as_posix(), ast.parse(text), text


def test_files_have_at_most_400_lines() -> None:
    assert [name for name, _, text in _trees() if len(text.splitlines()) > 400] == []


def test_functions_have_at_most_60_lines() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree, _ in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= 60
    ]
    assert long == []


def test_every_module_says_what_it_is() -> None:
    assert [name for name, tree, _ in _trees() if not ast.get_docstring(tree)] == []


def test_init_files_hold_a_docstring_and_nothing_else() -> None:
    assert [name for name, tree, _ in _trees() if name.endswith("__init__.py") and len(tree.body) != 1] == []


def test_imports_stand_at_the_top() -> None:
    lazy = [
        f"{name}:{node.lineno}"
        for name, tree, _ in _trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert lazy == []


def test_one_broad_except_in_the_whole_program() -> None:
    broad = [
        f"{name}:{node.lineno}"
        for name, tree, _ in _trees()
        if "/sim/" not in name
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)} & BROAD)
    ]
    assert len(broad) <= 1, broad


@pytest.mark.parametrize(
    "error",
    [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)],
    ids=lambda error: error.__name__,
)
def test_every_error_stands_in_the_docs_table(error: type[Exception]) -> None:
    assert f"`{error.__name__}`" in (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")


def test_no_text_names_an_index_or_this_machine() -> None:
    texts = [path for pattern in ("requirements/*.txt", "docs/**/*.md", "*.md") for path in ROOT.glob(pattern)]
    bad = [
        path.name
        for path in texts
        for line in path.read_text(encoding="utf-8").splitlines()
        if "index-url" in line or "/work/" in line
    ]
    assert bad == []
