# SPDX-License-Identifier: GPL-2.0-only
# make run            build, boot and compare every architecture of the default plan
# make run ARCH=arm64 only one (or several: ARCH="x86_64 arm64")
# make test           the whole test suite, real kernel boots included
# make test-nightly   the tests that are left out of it, since they take minutes each
# make quick          the tests that take seconds
# make check          ruff, mypy, the import contracts, codespell (shellcheck is one of the quick tests)
# make schemas        the JSON schemas in docs/, made from the code
# make pictures       the pictures of the README, taken with chromium of sample runs
# make demo-nights    a month of made-up nights before a run, for the dashboard (RUN=name, else the last)
# make bench          figures against the plain commands, hours (ONLY=name for one)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARCH ?=
ARGS ?=
ONLY ?=
RUN ?= latest

.PHONY: run test test-nightly quick check schemas pictures demo-nights bench packages test-packages clean

run: packages
	$(BIN)/thp-harness run $(addprefix --arch ,$(ARCH)) $(ARGS)

test: packages test-packages
	$(BIN)/pytest -m "not slow"
	$(BIN)/pytest -m slow --durations=25

test-nightly: packages test-packages
	$(BIN)/pytest -m nightly --durations=25

quick: $(VENV)/ready
	$(BIN)/pytest -m "not slow"

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

schemas: $(VENV)/ready
	$(BIN)/python -m harness.cli.schemas

pictures: $(VENV)/ready
	$(BIN)/python -m tests.samples.pictures

demo-nights: $(VENV)/ready
	$(BIN)/python -m tests.samples.simulate $(RUN) $(ARGS)

bench: packages
	$(BIN)/python -m tests.bench $(addprefix --only ,$(ONLY)) $(ARGS)

packages: $(VENV)/ready
	@ci/install-packages $$($(BIN)/thp-harness doctor --packages $(addprefix --arch ,$(ARCH)))

test-packages:
	@ci/install-packages $$(ci/test-packages)

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || ci/install-packages python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) *.egg-info kselftest_wrappers/build
