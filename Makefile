# Two commands do everything: `make course` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup course test check lint book serve lock gettext clean

BIN := .venv/bin
# One thread: on a shared machine two can be ten times slower.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# What was compiled is kept: without, each of the many processes that the tests start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

# The first Python that the package runs on; 3.11 first, for which the lock is made.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and install the lock; reuse it if nothing changed
	@if [ -z "$(PYTHON)" ]; then echo "The course needs Python 3.11, 3.12 or 3.13, and none was found: install one (python.org, or your" \
		"system's packages) and try again, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@$(PYTHON) tools/setup.py

course: setup ## build the book, release the exercises, grade a sample class
	@$(BIN)/dlcourse build
	@$(BIN)/dlcourse release
	@$(BIN)/dlcourse sample-class

# A worker a core, each with libraries of 1 GB; tests/conftest.py says which tests stay together, and in which order.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --no-loadscope-reorder

test: setup lint ## run every check: lint, types, the book, every exercise, the class, the README
	@$(PYTEST)

check: setup lint ## the checks that are quick; run it before each commit
	@$(PYTEST) -m "not slow"

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

book: setup ## build the book alone
	@$(BIN)/dlcourse build

serve: setup ## show the book at http://127.0.0.1:8000
	@$(BIN)/dlcourse serve

lock: setup ## choose all versions anew and write requirements.txt
	@$(BIN)/python tools/lock.py

gettext: setup ## extract the sentences of the book for translators into build/gettext
	@$(BIN)/python -m dlcourse.publishing.gettext

clean: ## remove build/ and .venv; the class in course/ stays
	rm -rf build .venv
