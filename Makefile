# `make demo` and `make test` need only make and python3 >= 3.11 with venv; each installs what it needs, locked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed
TILL := $(VENV)/tryton-till/till.sqlite
AIRFLOW_STAMP := $(VENV)/.airflow
SPARK_STAMP := $(VENV)/.spark
# Processes that the tests start would compile everything anew without it.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lock bench bench-scores airflow-demo test-airflow test-spark clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(STAMP)  ## a virtual environment with the locked versions

# The lock is a constraint file: hashes of what is installed are checked, extras that are not asked for stay out.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --disable-pip-version-check -q install uv==$(UV_VERSION)
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -c requirements.lock --group dev -e ".[databases,excel,models,postgres,simulation,splink]"
	@touch $@

demo: $(STAMP)  ## the whole way on local data: files in, customers, segments, files and signed webhooks out
	$(BIN)/hub demo

# An empty shop of Tryton, a real point of sale that the tests sell with: half a minute, once.
$(TILL): $(STAMP) tests/pos/tryton_till.py
	@rm -rf $(dir $@)
	$(BIN)/python tests/pos/tryton_till.py prepare $(abspath $(dir $@))

test: $(STAMP) $(TILL)  ## every test; needs no service, no account, no network
	$(BIN)/python -m pytest -q -n 4 --dist loadgroup

check: $(STAMP)  ## lint, format, types, import walls, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/docs

format: $(STAMP)  ## rewrite files in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP)  ## resolve versions anew (bounds: pyproject.toml, reasons: docs/versions.md)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --exclude-newer 2026-09-30 --generate-hashes --no-header \
	  --all-extras --group dev --group bench --group airflow pyproject.toml -o requirements.lock

bench: $(STAMP)  ## ingest timed against bare DuckDB and dlt (the others: python benchmarks/NAME.py)
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -c requirements.lock --group bench
	$(BIN)/python benchmarks/ingest.py

bench-scores: $(STAMP)  ## how good the learnt scores are, into docs/scores.md (UCI=file for more)
	$(BIN)/python benchmarks/scores_models.py $(if $(UCI),--uci $(UCI)) --write docs/scores.md

# The hub runs without Airflow; these two put it into the same environment, locked like everything else.
$(AIRFLOW_STAMP): $(STAMP)
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -c requirements.lock --group airflow -e ".[airflow]"
	@touch $@

airflow-demo: $(AIRFLOW_STAMP)  ## the same on a real Airflow of its own: new data triggers customers, customers trigger pushes
	$(BIN)/python -m hub.airflow.demo

test-airflow: $(AIRFLOW_STAMP)  ## the tests that need Airflow, with a real scheduler
	HUB_TEST_AIRFLOW=1 $(BIN)/python -m pytest -q tests/on_airflow

# Spark needs Java 17 or newer on the PATH; without it the test says so and is skipped.
$(SPARK_STAMP): $(STAMP)
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -c requirements.lock -e ".[spark,splink]"
	@touch $@

test-spark: $(SPARK_STAMP)  ## the link model on a Spark of its own finds the same people as on DuckDB
	$(BIN)/python -m pytest -q -rs tests/identity/test_identity_spark.py

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) .hub .demo .mypy_cache .ruff_cache .import_linter_cache .hypothesis
