# Everything a developer or an operator runs by hand. `make` alone prints this file's `##` comments.

.DEFAULT_GOAL := help
.PHONY: help python setup run demo-real test simulate chaos load bench check format lock migrate clean reset prove-real
SHELL := /bin/sh

# The first Python that is new enough; `make PYTHON=/path/to/python` overrides it.
OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(OLD_ENOUGH)' 2>/dev/null && command -v $$python && break; done)
endif

BIN := .venv/bin
WORKERS ?= 2
ARGS ?=

help: ## Print this list
	@echo "Guanxi. Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

setup: python ## Make the environment .venv, or bring it up to date
	@$(PYTHON) tools/bootstrap.py

python:
	@test -n "$(PYTHON)" || { echo "make: Guanxi needs Python 3.11 or newer, and there is none on the PATH (make PYTHON=... names one)." >&2; exit 1; }
	@$(PYTHON) -c '$(OLD_ENOUGH)' 2>/dev/null || { echo "make: Guanxi needs Python 3.11 or newer, and $(PYTHON) is not." >&2; exit 1; }

run: setup ## Start everything here: database, services, demo data (EVENTS=kafka: with a real broker)
	@$(if $(EVENTS),CRM_EVENTS=$(EVENTS)) exec $(BIN)/crm run

test: setup ## Run all tests (WORKERS=2, ARGS="-k word")
	@exec $(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

simulate: setup ## Simulate crashes and planted bugs, without I/O (SEEDS=1000, or SEED=7 once more; JSON=file)
	@exec $(BIN)/python -m tests.chaos.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(JSON),--json "$(JSON)")

chaos: setup ## Real processes under faults (MINUTES=60, SEED=7, ONLY=kill, JSON=file; CONTROLS=1: planted bugs)
	@exec $(BIN)/python -m tests.chaos.live $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(ONLY),--only "$(ONLY)") $(if $(JSON),--json "$(JSON)") $(if $(CONTROLS),--controls)

load: setup ## Highest rate, a soak at half of it, restarts under load (MINUTES=30, RATE=100: no search, JSON=file)
	@exec $(BIN)/python -m tests.load $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) \
		$(if $(JSON),--json "$(JSON)")

bench: setup ## Measure the promises as ratios of one run (ONLY=commands, SECONDS=10, ROUNDS=3, SLOWER_DISK=1, JSON=file)
	@exec $(BIN)/python -m tests.bench $(if $(ONLY),--only "$(ONLY)") $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SLOWER_DISK),--slower-disk $(SLOWER_DISK)) $(if $(JSON),--json "$(JSON)")

check: setup ## Lint, formatting, types, architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(wildcard shared services tests demo)
	$(BIN)/lint-imports

format: setup ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

demo-real: setup ## Load two public data sets (DATA=folder) and compare the figures with a plain count of the files
	@exec $(BIN)/python -m demo.real $(DATA)

prove-real: setup ## The same under kills, doubled delivery and rebuilds, over the feed and Kafka (DATA=folder)
	@exec $(BIN)/python -m tests.system.real_data $(DATA) $(EVENTS)

migrate: setup ## Bring a service's database up to date (service=contacts; none: all)
	@exec $(BIN)/crm migrate $(service)

SERVICES := contacts opportunities service-desk analytics
COMPILE = .local/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)
OURS := $(foreach package,shared $(SERVICES),--no-emit-package $(package))

lock: python ## Renew the locks after a change of dependencies (UPGRADE=--upgrade: newest versions)
	@$(PYTHON) tools/bootstrap.py uv
	@$(COMPILE) $(OURS) shared/pyproject.toml $(SERVICES:%=services/%/pyproject.toml) -o requirements.lock
	@$(COMPILE) $(OURS) pyproject.toml --group dev --all-extras -o requirements-dev.lock
	@echo uv | $(COMPILE) --no-annotate - -o requirements-uv.lock

clean: ## Remove the environment and all caches; the data under .local stays
	rm -rf .venv .local/uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find shared services tests tools demo -name __pycache__ -type d -prune -exec rm -rf {} +

reset: ## Remove the development data: databases, Kafka's records, keys
	rm -rf .local
