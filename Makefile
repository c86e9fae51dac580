# Every target does its own set-up: `make setup` builds .venv from the pinned requirements.
# A target whose feature is not built yet is not here.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: help setup demo test sim check format bench docs plugin lock clean crash

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.ready: requirements/build.txt requirements/dev.txt pyproject.toml scripts/setup.sh
	@PYTHON=$(PYTHON) sh scripts/setup.sh

setup: .venv/.ready ## build .venv with everything in it, .venv/bin/stashplex included

demo: setup ## both simulated servers on loopback, a first sync of 3,201 films, an edit arriving
	@$(BIN)/stashplex demo $(ARGS)

test: setup ## all tests (ARGS="-k path" for some)
	@$(BIN)/pytest -q -n 2 $(ARGS)

KILLS ?= 200
POWER ?= 200
crash: setup ## kill the service KILLS times (200), cut the power POWER times (200); 2000 of each for a long look
	@$(BIN)/pytest -q -n 2 tests/crash --kills $(KILLS) --power-cuts $(POWER) $(ARGS)

sim: setup ## seeded simulation of the whole engine (SEEDS=20000 for more, SEED=7 to replay one, ARGS=--log)
	@PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),500)) $(ARGS)

check: setup ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## measure against the simulators; writes docs/reference/performance.md
	@$(BIN)/python -m bench --write $(ARGS)

docs: setup ## regenerate the generated reference pages
	@$(BIN)/python scripts/reference.py

plugin: setup ## build the plugin for Stash: dist/plugin/stashplex.zip and the index.yml that offers it
	@$(BIN)/python scripts/plugin.py

lock: ## pin requirements with hashes (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml --group dev -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" requirements/build.in -o requirements/build.txt

clean: ## remove everything that make builds
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
