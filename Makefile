# Everything a person needs with Python 3.11 and make: `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-long fuzz check format proto lock bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/run.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info < (3,13) else "dealgraph needs Python 3.11 or 3.12; found " + sys.version.split()[0] + ". Try: make PYTHON=/path/to/python3.11 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing dealgraph into $(VENV) (first time only) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing the tools for tests and checks …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml","rb"))["dependency-groups"]["dev"])')
	@touch $@

demo: $(VENV)/run.stamp ## Play a simulated quarter into an embedded dealgraph and watch alerts arrive
	@$(BIN)/dealgraph demo

test: $(VENV)/dev.stamp check ## Run every check and the quick test suite
	$(BIN)/python -m pytest -m "not long" -n auto --dist loadfile

test-long: $(VENV)/dev.stamp ## Run the tests that take minutes: more crashes, more fuzzing
	$(BIN)/python -m pytest -m long --timeout 3600

SOURCES ?= $(shell $(BIN)/dealgraph import --sources | cut -d' ' -f1)
SECONDS ?= 60
fuzz: $(VENV)/dev.stamp ## Fuzz every connector, guided by coverage: SOURCES=mail SECONDS=600
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris==3.0.0"
	@for source in $(SOURCES); do $(BIN)/python -m tests.fuzz $$source $(SECONDS) || exit 1; done

check: $(VENV)/dev.stamp ## Lint, types, layers and the contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/buf breaking proto --against proto/released.binpb

format: $(VENV)/dev.stamp ## Format code and contract
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w proto

proto: $(VENV)/dev.stamp ## Generate the Python code of the contract
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -P proto/generate.py

bench: $(VENV)/run.stamp ## Measure speed; prints JSON beside a table
	@$(BIN)/dealgraph bench

lock: ## Write constraints.txt anew from pyproject.toml
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/python -m pip install --quiet --disable-pip-version-check . $$(.lock/bin/python -c 'import tomllib; print(*("\"%s\"" % d for d in tomllib.load(open("pyproject.toml","rb"))["dependency-groups"]["dev"]))')
	@.lock/bin/python -m pip freeze --exclude dealgraph | grep -v '@ file' > constraints.txt && rm -rf .lock

clean: ## Remove what was installed and built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
