# One-line aliases of `python -m harness`; nothing here decides anything. For people: bench, nightly, test, check, readme, setup, mutants.
PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
ENV ?=
SWEEP ?=
BASELINE ?= cpu
CANDIDATE ?=
BUDGET ?= 6h
MORE ?=
SEED ?= 1
COUNT ?= 300
# Two processes of tests, each file whole in one of them; AT_ONCE= runs them one after another.
AT_ONCE ?= -n 2 --dist loadfile

.PHONY: bench nightly bench-accuracy setup test test-slow check readme lint mutants

bench:
	@$(PYTHON) -m harness setup --quiet
	@SWEEP=$(SWEEP) $(VENV_PYTHON) -m harness bench

# MORE: further words, as "--issue FILE".
nightly:
	$(if $(CANDIDATE),,$(error say CANDIDATE=ENV or CANDIDATE=WHEEL))
	@$(PYTHON) -m harness setup --quiet
	@$(VENV_PYTHON) -m harness night $(or $(SWEEP),quickstart) --baseline $(BASELINE) --candidate "$(CANDIDATE)" --budget $(BUDGET) $(MORE)

setup:
	$(PYTHON) -m harness setup
	$(if $(ENV),$(VENV_PYTHON) -m harness setup --env $(ENV))

test: setup
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -m "not slow and not gpu and not alone" $(AT_ONCE)
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -m "not slow and not gpu and alone"

test-slow: setup
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -m "slow and not gpu and not alone" $(AT_ONCE)
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -m "slow and not gpu and alone"

check: lint test
	$(VENV_PYTHON) -m harness report --check

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	.venv/bin/lint-imports

# QUESTIONS: in Hendrycks' layout, else those of the reference model. OLD: a checkout of 0.1.0. TEXT: WikiText-2. MORE: as "--smollm2".
bench-accuracy: setup
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m tests.benchmarks.bench_accuracy $(if $(QUESTIONS),--questions $(QUESTIONS)) $(if $(OLD),--old $(OLD)) $(if $(TEXT),--text $(TEXT)) $(MORE)

readme: setup
	$(VENV_PYTHON) -m harness report --write

# An environment of its own: nothing of it is in a lock, and CI does not run it.
.venv-mutants/coverage:
	$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet "cosmic-ray>=8.7,<9"
	.venv-mutants/bin/python -m pip install --quiet --target $@ "coverage>=7.6,<8"

mutants: setup .venv-mutants/coverage
	.venv-mutants/bin/python tests/benchmarks/mutants.py --seed $(SEED) --count $(COUNT)
