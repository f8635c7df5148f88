# Two commands matter: `make demo` and `make test`. Each sets up what it needs first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test lint coverage bench chaos clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: install
	$(BIN)/tokenbooks demo

test: install
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error

# Lines and branches that no test reaches, by name. docs/testing.md says which of them and why.
coverage: install
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term-missing:skip-covered

# All sizes that docs/speed.md shows: make bench BENCH=--full
BENCH ?=
bench: install
	$(BIN)/python -m benchmarks $(BENCH)

# Kills importing and collecting processes at random moments; nothing may be lost or half kept.
KILLS ?= 200
chaos: install
	$(BIN)/python -m tests.chaos $(KILLS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
