# SPDX-License-Identifier: GPL-2.0-only
# make run | test | check | bench | build-test | boot-test | bare-test | mutants | tree-mutants | lock-suites | growth | fuzz | fuzz-mails | gate

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
TREE ?= 5.10
WORLDS ?= 5.10 6.1 6.12
OUT ?= outgoing
COUNT ?= 2000
JOBS ?= $(shell nproc)

.PHONY: run test check bench build-test boot-test bare-test mutants tree-mutants growth fuzz-mails fuzz gate clean

$(VENV)/.run: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) -e '.[dev]'
	@touch $@

run: $(VENV)/.run
	@tree=$(TREE); $(BIN)/patchgen tree add $(TREE) || { status=$$?; \
	  [ $$status = 2 ] || exit $$status; \
	  echo "Linux $(TREE) cannot be had here: going on with kernel-tree/mini" >&2; tree=mini; }; \
	$(BIN)/patchgen generate kvm-change-pte --tree $$tree -o $(OUT) --force

test: check
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python -m tests.reads

bare-test: $(VENV)/.dev
	$(BIN)/python -m tests.bare $(BARE)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench $(BENCH)

build-test: $(VENV)/.dev
	$(BIN)/python -m tests.build_test --tree $(TREE)

boot-test: $(VENV)/.dev
	$(BIN)/python -m tests.boot.boot_test --tree $(TREE)

growth: $(VENV)/.dev
	$(BIN)/python -m tests.growth $(GROWTH)

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants $(MUTANTS)

tree-mutants: $(VENV)/.dev
	$(BIN)/python -m tests.worlds
	$(BIN)/python -m tests.worlds.proved $(WORLDS)

fuzz-mails: $(VENV)/.dev
	$(BIN)/python -m tests.series.side_by_side --reasons --count $(COUNT) $(if $(SEED),--seed $(SEED))

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz $(if $(SECONDS_),--seconds $(SECONDS_)) $(if $(SEED),--seed $(SEED)) $(FUZZ)

gate: $(VENV)/.dev
	$(BIN)/python -m tests.gate $(if $(LINUX),--linux $(LINUX)) $(if $(KERNELS),--kernels $(KERNELS)) \
	  $(if $(MAILS),--mails $(MAILS)) $(if $(WORK),--work $(WORK)) $(if $(ONLY),--only "$(ONLY)")

lock-suites: $(VENV)/.dev
	$(BIN)/python -m tests.locks_suites --sparse $(SPARSE) --smatch $(SMATCH)

clean:
	rm -rf $(VENV) build dist *.egg-info $(OUT)
