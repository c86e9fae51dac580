"""The reference pages say what the program does: generated ones are up to date, written ones name everything public."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = json.loads((ROOT / "tests/unit/cli/contract.json").read_text(encoding="utf-8"))
COMMANDS_PAGE = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """Return the part of the page about one command."""
    found = re.search(rf"^## `stashplex {name}.*?(?=^## |\Z)", COMMANDS_PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/commands.md has no section about {name}"
    return found[0]


def keys_of(shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        for key, inner in shape.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(shape, list):
        for inner in shape:
            yield from keys_of(inner)


def test_the_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts/reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for page, text in (("settings.md", module.render()), ("mapping.md", module.render_mapping())):
        assert (ROOT / "docs/reference" / page).read_text(encoding="utf-8") == text, "run make docs"


COMMON = {"--config", "--json", "--verbose", "-v"}


@pytest.mark.parametrize("name", CONTRACT["commands"])
def test_the_page_about_commands_names_each_option(name: str) -> None:
    options = {part for options in CONTRACT["commands"][name] for part in options.split() if part.startswith("-")}
    assert sorted(option for option in options - COMMON if f"`{option}" not in section(name)) == []
    assert all(f"`{option}" in COMMANDS_PAGE for option in COMMON)


@pytest.mark.parametrize("name", CONTRACT["json"])
def test_the_page_about_commands_names_each_member_of_json(name: str) -> None:
    text = section(name)
    assert sorted({key for key in keys_of(CONTRACT["json"][name]) if key != "*" and f"`{key}`" not in text}) == []


def test_the_page_about_commands_names_each_exit_code() -> None:
    for code in CONTRACT["exit_codes"].values():
        assert f"| {code} |" in COMMANDS_PAGE


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
