# Everything a person runs here. `make demo` and `make test` set up what they need themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN_READY := $(VENV)/.run-ready

# How long the slow tests (crash, load, random data) take: the short form here and in CI.
export OPPSERVER_TEST_SCALE ?= 0.5

.PHONY: demo test lowest check bench docs clean help

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: $(RUN_READY) ## Set everything up and run the main job: `oppserver demo` (DEMO="--exit" ends it)
	$(BIN)/oppserver demo $(DEMO)

# Four at a time on any machine: tests wait for processes more than they compute.
test: $(READY) ## Run every test; BROWSER=none leaves out those of pages, in a browser
ifeq ($(BROWSER),none)
	@echo "BROWSER=none: the tests in tests/browser, which need Chromium, are left out."
	$(BIN)/pytest -n 4 --dist worksteal --ignore=tests/browser $(PYTEST)
else
	@$(BIN)/python -m tests.browser.chromium
	$(BIN)/pytest -n 4 --dist worksteal $(PYTEST)
endif

lowest: $(RUN_READY) ## Run the fast tests on the lowest versions that pyproject.toml declares
	$(BIN)/python -m tests.project.lowest

check: $(READY) ## Formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --project tests/typing --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(READY) ## Run the benchmarks of docs/performance.md (BENCH="--quick" for a short look)
	$(BIN)/python -m bench $(BENCH)

docs: $(READY) ## Write the documents that are generated from the code
	$(BIN)/python -m tests.project.generated

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis src/oppserver/console/vendor

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("oppserver needs Python 3.11 or later; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip

$(RUN_READY): pyproject.toml hatch_build.py constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[arrow]'
	touch $@

$(READY): $(RUN_READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --group bench
	touch $@
