# The doors of the project. `make demo` and `make test` need nothing before them
# but Python 3.11 or newer, git and make.
# PYTHON= names what .venv is made of, anew where it is of another; unsaid it is the system's own
# where there is none yet (decision 0043).
PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := -c 'import sys; print(sys.version)' 2>/dev/null
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) $(BUILD)),$(shell $(BIN)/python $(BUILD)))
.PHONY: $(VENV)/.runtime
endif
endif
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/kernels

.PHONY: demo test lint bench kernels packs docs fuzz oldest clean setup setup-dev
demo: setup
	$(BIN)/wardwatch demo --out out/demo

# what is compiled for it is kept, whatever the environment says: all modules are read by each worker
test: setup-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal

lint: setup-dev
	$(BIN)/ruff check src tests bench docs tools
	$(BIN)/ruff format --check src tests bench docs tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs bench tools README.md CHANGELOG.md

# after an edit of a kernel: what is shipped so that a first run need not compile
kernels: setup-dev
	$(BIN)/python -m tools.kernels

# after an edit of a shipped table, of our own records or of what reads them: the same, ready to be read
packs: setup-dev
	$(BIN)/python -m tools.packs

bench: setup-dev
	$(BIN)/python -m bench

docs: setup-dev
	$(BIN)/python -m docs.build

# the tests with the oldest releases that pyproject.toml says suffice
oldest: setup-dev
	$(BIN)/python -m tools.oldest

fuzz: setup-dev
	$(BIN)/python -m tests.fuzz

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.runtime: requirements.lock pyproject.toml tools/setup.sh
	tools/setup.sh runtime "$(PYTHON)"
$(VENV)/.dev: requirements-dev.lock pyproject.toml tools/setup.sh $(VENV)/.runtime
	tools/setup.sh dev "$(PYTHON)"

clean:
	rm -rf $(VENV) .cache out build
