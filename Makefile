# One-line aliases of `python -m harness`; nothing here decides anything. For people: bench, test, check, readme, setup.
PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
ENV ?=
SWEEP ?=

.PHONY: bench setup test test-slow check readme lint

bench:
	@$(PYTHON) -m harness setup --quiet
	@SWEEP=$(SWEEP) $(VENV_PYTHON) -m harness bench

setup:
	$(PYTHON) -m harness setup
	$(if $(ENV),$(VENV_PYTHON) -m harness setup --env $(ENV))

test: setup
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest

test-slow: setup
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -m "slow and not gpu"

check: lint test
	$(VENV_PYTHON) -m harness report --check

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	.venv/bin/lint-imports

readme: setup
	$(VENV_PYTHON) -m harness report --write
