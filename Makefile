# The whole developer interface. `make demo` and `make test` work on a machine with only Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
SOURCES := src tests benchmarks
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-all check bench ui clean lock

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $@

demo: $(READY)
	@mkdir -p demo
	LEAFLAB_HOME=demo $(BIN)/leaflab run experiment=flights
	@echo
	@echo "Look at it:  LEAFLAB_HOME=demo $(BIN)/leaflab ui"

test: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-all: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

ui: $(READY)
	LEAFLAB_HOME=demo $(BIN)/leaflab ui

# Names, versions and hashes only: no index line, so that any registry serves it.
lock:
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --group dev --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --python-version 3.11 --output-file requirements.lock

clean:
	rm -rf .venv demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
