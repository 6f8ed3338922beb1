# One file for the desk and for CI. Needs GNU make, git and a Python 3.11 or newer (PYTHON=... names one).
# `make setup` is called by every other target and costs nothing when nothing changed.

PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.12 python3.13,$(shell \
	$(p) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-unit test-services test-faults test-validator \
	services validate bench up down lint format types contracts lock wheel clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# ---------------------------------------------------------------- environment

setup: $(VENV)/.run ## the locked environment with the `constantes` command in it

setup-dev: $(VENV)/.dev ## the same with linters, type checker and test runner

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found. Install one (Debian: \
	apt-get install python3-venv) or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python requirements/run.lock pyproject.toml
	$(PIP) install --require-hashes --requirement requirements/run.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	$(PIP) install --require-hashes --requirement requirements/dev.lock
	@touch $@

# ---------------------------------------------------------------- the program

demo: setup $(if $(filter production,$(SHAPE)),services) ## a morning on Reunion island; ONCE=1 plays it, checks it and ends; SHAPE=production: on the named stack
	$(if $(filter production,$(SHAPE)),$(BIN)/python -m deploy.native,$(BIN)/constantes demo) $(if $(ONCE),--once)

up: ## the production shape in containers (after deploy/make-secrets)
	docker compose up --detach --build --wait

down: ## stop it; its volumes stay
	docker compose down

bench: setup ## the workloads, as one table with ratios
	$(BIN)/python -m bench --write

# ---------------------------------------------------------------- checks

test: lint types contracts ## linters, types, import contracts and every test that this machine can run
	$(PYTEST)

test-unit: setup-dev ## the tests that need nothing but Python
	$(PYTEST) -m "not services and not faults and not browser and not validator"

test-services: setup-dev services ## the tests against real servers; REQUIRE_TIERS=1 fails when one is left out
	$(PYTEST) -m services

services: ## build the servers that no package has: InfluxDB (once, 5 to 8 minutes) and HAPI
	@tools/influxd/build || echo "Without it: the tests that need InfluxDB are left out." >&2
	@tools/fhir-server/build || echo "Without it: the tests that need HAPI are left out." >&2

test-faults: setup-dev ## kills, full disks, cut lines
	$(PYTEST) -m faults

test-validator: setup-dev ## the tests that ask the offline FHIR validator
	$(PYTEST) -m validator

validate: setup ## the offline FHIR validator over every case folder and a demo run
	$(BIN)/constantes demo --once
	$(BIN)/python -m scripts.validate tests/cases demo-output/record.ndjson

lint: setup-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup-dev ## ruff: mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup-dev ## mypy, strict, tests included
	$(BIN)/mypy

contracts: setup-dev ## import-linter: who may import whom
	$(BIN)/lint-imports

# ---------------------------------------------------------------- upkeep

COMPILE = $(VENV)-lock/bin/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --quiet $(LOCKFLAGS)

lock: ## make both locks anew; LOCKFLAGS=--upgrade takes newer versions
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION)
	$(COMPILE) --group build --output-file requirements/run.lock
	$(COMPILE) --group dev --constraint requirements/run.lock --output-file requirements/dev.lock

wheel: setup ## dist/constantes-VERSION-py3-none-any.whl
	rm -rf dist
	$(PIP) wheel --no-build-isolation --no-deps --wheel-dir dist .

clean: ## remove what was built; keeps data/
	rm -rf $(VENV) $(VENV)-lock build dist tools/fhir-validator/target tools/fhir-server/target .mypy_cache \
		.pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
