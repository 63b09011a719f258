# leadlog: every task of the repository. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: env demo test check bench bench-large soak lock clean
env: $(VENV)/.ready  ## the environment, from the lock file

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "leadlog needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV) || (echo "cannot create $(VENV): on Debian or Ubuntu run: apt install python3-venv" >&2; exit 1)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: env  ## a simulated company, then API and reports at a printed address; KAFKA=1 with a broker
	$(BIN)/leadlog demo $(if $(KAFKA),--kafka)

# One worker more than there are cores: tests also wait, for leases and for other processes. These
# start often, so what Python compiles is kept.
test: export PYTHONDONTWRITEBYTECODE =
test: export PYTEST_XDIST_AUTO_NUM_WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: env  ## the whole suite, each worker of it with a PostgreSQL of its own
	$(BIN)/python -m pytest -n auto --maxprocesses 5 --dist loadfile --no-loadscope-reorder

check: env  ## format, lint, strict types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env  ## the figures of bench/README.md, each against its baseline
	$(BIN)/python -m bench

bench-large: env  ## the same on a log of 10 million events
	$(BIN)/python -m bench --large

soak: env  ## every suite at its large size: a night and more
	LEADLOG_TEST_SIZE=soak $(BIN)/python -m pytest tests --timeout 0

LOCK := uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-annotate
lock:  ## both lock files from pyproject.toml (needs uv): for developers, and what runs
	$(LOCK) --extra dev pyproject.toml -o requirements.lock
	$(LOCK) --constraints requirements.lock pyproject.toml -o requirements.runtime.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
