# Two commands do all the set-up, on a machine with Python >= 3.11, make and a package index:
#   make demo    the main job, on real data that comes with the package
#   make test    the test suite
# The rest: make help. Everything is installed into .venv, once, and again when pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; another one: make demo PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One thread for each of the two workers: more of them only get in each other's way.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest -q -n 2
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Kept although nothing names them as a target of its own.
.PRECIOUS: $(VENV)/.ready-%

.PHONY: help demo test test-slow coverage lint format bench docs clean

help: ## Show these lines
	@echo "brainsieve: brain images to arrays and back"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.ready-plotting ## Regions out of a real run: table, matrix and pictures in demo-output/
	@$(BIN)/brainsieve demo -o demo-output

test: $(VENV)/.ready-test ## Run the tests, but for the slow ones (more options: ARGS="-k labels")
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(VENV)/.ready-test ## Run the slow tests
	@$(PYTEST) -m slow $(ARGS)

coverage: $(VENV)/.ready-test ## Run the tests, and say which branches they never take (goal: 96 %)
	@$(PYTEST) -m "not slow" --cov=brainsieve --cov-branch --cov-report=term:skip-covered $(ARGS)

lint: $(VENV)/.ready-lint ## Check style, types, the direction of imports and their circles; changes nothing
	@echo "ruff: style";          $(BIN)/ruff check --quiet .
	@echo "ruff: format";         $(BIN)/ruff format --check --quiet . || { echo "Not formatted; run: make format"; exit 1; }
	@echo "mypy: types";          $(BIN)/mypy --no-error-summary
	@echo "import-linter: layers"; $(BIN)/lint-imports | grep -E 'KEPT|BROKEN|kept|broken|->' ; test $${PIPESTATUS[0]} -eq 0
	@echo "import circles";        $(BIN)/python tools/import_circles.py
	@echo "Nothing found."

format: $(VENV)/.ready-lint ## Format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: $(VENV)/.ready-test ## Time and memory against the decode floor and nilearn (options: ARGS="--help")
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.ready-docs ## Build the documentation into site/, and run its examples
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 --builder html docs site
	@echo "Open site/index.html"

clean: ## Remove what the other targets made
	@rm -rf $(VENV) build dist site docs/reference docs/auto_examples docs/sg_execution_times.rst demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.11 or newer was found; name one: make PYTHON=/path/to/python" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11, which brainsieve needs; name another: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "$(PYTHON) cannot create environments; on Debian and Ubuntu install python3-venv." >&2; exit 1; }

$(VENV)/.ready-%: pyproject.toml | $(BIN)/python
	@echo "Installing brainsieve[$*] into $(VENV) (once)"
	@$(PIP_INSTALL) --editable ".[$*]"
	@touch $@
