# SPDX-License-Identifier: GPL-2.0-only
# make run | test | check | bench | build-test | boot-test | mutants

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TREE ?= 5.10
OUT ?= outgoing
JOBS ?= $(shell nproc)

.PHONY: run test check bench build-test boot-test mutants clean

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(STAMP)
	@$(BIN)/python -m patchgen.demo --tree $(TREE) --out $(OUT)

test: check
	$(BIN)/python -m pytest -q -n $(JOBS)

check: $(STAMP)
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(BENCH)

build-test: $(STAMP)
	$(BIN)/python -m tests.build_test --tree $(TREE)

mutants: $(STAMP)
	$(BIN)/python -m tests.mutants

boot-test: $(STAMP)
	$(BIN)/python -m tests.boot.boot_test --tree $(TREE)

clean:
	rm -rf $(VENV) build dist *.egg-info $(OUT)
