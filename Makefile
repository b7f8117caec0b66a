# Every command a developer needs. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= auto
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit check fix serve worker migrate migration lock wheel clean chaos bench-core bench-locks bench-assets bench-activation

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked versions of everything

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Liftlock needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## provision the example site on a demo host, and switch it under load
	$(BIN)/python -m examples.demo

test: setup ## all tests that need nothing but Python, git and make; some: make test ARGS=tests/e2e
	$(BIN)/python -m pytest -n $(JOBS) -m "not sshd and not root and not routers and not reference" $(ARGS)

test-unit: setup ## the tests of the pure rooms, in seconds
	$(BIN)/python -m pytest tests/unit -q

check: setup ## lint, types, import rules, dead code, shell, container files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/shellcheck worker/remote/*.sh .ci/run
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m pytest tests/architecture -q

fix: setup ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: setup ## break everything for six minutes, then judge it: make chaos ARGS="--seed 7"
	$(BIN)/python -m tests.chaos $(ARGS)

bench-core: setup ## measure speed beside plain arq and the machine's limit, in five minutes
	$(BIN)/python -m benchmarks.core

bench-locks: setup ## measure the lock's hand-over beside redis-py's lock, in a minute
	$(BIN)/python -m benchmarks.locks

bench-assets: setup ## measure builds and uploads of static files, in six minutes (needs Python 3.12, npm)
	$(BIN)/python -m benchmarks.assets

bench-activation: setup ## switch sites under load through Caddy, nginx and HAProxy, in five minutes
	$(BIN)/python -m benchmarks.activation $(ARGS)

serve: setup ## the API, on the servers that LIFTLOCK_… names
	$(BIN)/python -m app.main

worker: setup ## one worker, on the servers that LIFTLOCK_… names
	$(BIN)/arq worker.main.WorkerSettings

migrate: setup ## bring the database to the newest schema
	$(BIN)/liftlock db upgrade

migration: setup ## draft a migration: make migration m="what changes"
	$(BIN)/alembic revision --autogenerate -m "$(m)"

lock: ## choose the newest versions again (needs uv)
	$(COMPILE) --all-extras --upgrade -o requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock -o deploy/requirements.lock pyproject.toml
	echo hatchling | $(COMPILE) --constraint requirements.lock -o deploy/build.lock -

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

clean: ## remove what can be made again (not the data of `liftlock up`)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
