# All that it takes is Python and make: `make demo`, `make test`, `make lint`; `make test-all` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test test-all lint install clean

demo: install
	$(BIN)/irfuse demo

# One thread for each of two workers: with more threads than cores, they get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -q

test: install
	$(PYTEST) -m "not slow"

test-all: install
	$(PYTEST) --durations=15

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
