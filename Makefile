# make run     sets everything up (once) and runs the example flow
# make test    sets everything up (once) and runs the tests
# make check   format, lint, types, import contract
# make bench   the measurements
#
# Needs Python 3.11 or newer and nothing else. PYTHON=… chooses one.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test check bench clean
.DEFAULT_GOAL := run

run: $(READY)
	@$(BIN)/flowengine run flows/census.yaml

test: $(READY)
	@$(BIN)/pytest

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(READY)
	@$(BIN)/python -m bench.chain
	@$(BIN)/python -m bench.fan_out
	@$(BIN)/python -m bench.waiting
	@$(BIN)/python -m bench.reload

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

# A name on the PATH may be a shim of a Python that is not there, or one without `venv`:
# each is tried before it is chosen.
$(BIN)/python:
	@found=; \
	for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer with the module venv was found on the PATH:" \
	        "install one (Debian: apt install python3 python3-venv), or say PYTHON=/path/to/python." >&2; \
	    exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv $(VENV)

# The build backend comes first, so that it is the pinned one too.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing flowengine into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling editables
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	    --no-build-isolation --editable '.[all,dev]'
	@touch $@
