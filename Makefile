# Every command sets up what it needs by itself; `make help` lists them.
#
# The environment is .venv, made from requirements.lock: exact versions with hashes, and no index
# address in it, so the files come from wherever this machine's installer is told to look.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PROFILE ?= digits
PORT ?= 8000
# The first interpreter that is new enough; `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

BIN := .venv/bin
ENV := .venv/.made
NOTEBOOKS = $(wildcard chapters/*.ipynb templates/*.ipynb)

# Processes run side by side; more than one BLAS thread in each would make all of them slower.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1

.PHONY: help
help: ## list the commands
	@echo 'Learning without weight transport: an executable book.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  PROFILE=digits   bundled data, works offline after installation (default)'
	@echo '  PROFILE=mnist    the published form of the book; ALIGNLIB_DATA=FOLDER is looked at before fetching'
	@echo '  PYTHON=python3   the interpreter that makes .venv (3.11 or newer)'

.PHONY: book
book: $(ENV) ## execute, check and build the book (PROFILE=digits or mnist)
	@$(BIN)/alignlib build --profile $(PROFILE)

.PHONY: test
test: lint ## lint, types, notebook hygiene, and all tests that need no browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/browser $(PYTEST)

.PHONY: browser
browser: $(ENV) ## look at every page of the book built last with Chromium; builds one if there is none
	@test -f _build/html/index.html || $(MAKE) book
	ALIGNLIB_BROWSER=required $(BIN)/python -m pytest tests/browser -n 2 --dist worksteal $(PYTEST)

.PHONY: screenshots
screenshots: $(ENV) ## pictures of every page, phone and laptop, light and dark: _build/browser/screenshots/index.html
	@test -f _build/html/index.html || $(MAKE) book
	@$(BIN)/python tests/browser/screenshots.py

.PHONY: planted
planted: $(ENV) ## plant errors in the science, one at a time, and see whether tests and book notice (about an hour)
	@$(BIN)/python tests/planted/faults.py

.PHONY: lint
lint: $(ENV) ## only what needs no execution: lint, format, types, hygiene, spelling
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy --strict alignlib
	$(if $(NOTEBOOKS),$(BIN)/nbstripout --verify --keep-id $(NOTEBOOKS))
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

.PHONY: fix
fix: $(ENV) ## format code, mend what lint can mend, strip the outputs of the chapters
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(if $(NOTEBOOKS),$(BIN)/nbstripout --keep-id $(NOTEBOOKS))

.PHONY: check
check: $(ENV) ## compare the executed chapters with expected/
	@$(BIN)/alignlib check --profile $(PROFILE)

# What the benchmarks compare with is installed only there. A PyTorch of its own choice: make bench TORCH='torch==2.13.0'
TORCH ?= torch
.PHONY: bench
bench: $(ENV) ## measure speed against the peers, write benchmarks/README.md (makes .venv-bench; about ten minutes)
	@test -x .venv-bench/bin/python || "$(PYTHON)" -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@.venv-bench/bin/python -c 'import torch' 2>/dev/null || \
		.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" || \
		echo 'PyTorch could not be installed; its rows will be missing.' >&2
	.venv-bench/bin/python benchmarks/run.py

.PHONY: lab
lab: $(ENV) ## open the chapters in JupyterLab
	$(BIN)/jupyter lab chapters

.PHONY: serve
serve: $(ENV) ## show the book built last at http://127.0.0.1:8000 (PORT=8000); builds one if there is none
	@test -f _build/html/index.html || $(MAKE) book
	@echo 'The book: http://127.0.0.1:$(PORT)   (Ctrl-C ends it)'
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

.PHONY: lock
lock: $(ENV) ## write requirements.lock anew from pyproject.toml (UPGRADE=1 takes newer versions)
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--extra book --extra browser --extra dask --extra dev pyproject.toml -o requirements.lock --quiet $(if $(UPGRADE),--upgrade) \
		--custom-compile-command "make lock"

.PHONY: picture
picture: $(ENV) ## draw the picture of the README anew from the rules
	$(BIN)/python -c 'from pathlib import Path; from alignlib.book.landing import draw_cover; draw_cover(Path("assets/four-rules.svg"))'

.PHONY: clean
clean: ## remove everything that was built or computed; .venv stays
	rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find alignlib tests assets -name __pycache__ -prune -exec rm -rf {} +

.PHONY: env
env: $(ENV) ## only make or refresh the environment

# pip installs uv alone (from uv's own pinned lines of the lock file), uv the rest: seconds instead of a minute.
# uv does not read pip's configuration. Where pip knows an index and uv does not, pip does it all.
$(ENV): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo 'The book needs Python 3.11 or newer, and none was found. Install one, or name it: make PYTHON=/path/to/python' >&2; \
		exit 1; fi
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "The book needs Python 3.11 or newer; this is Python %d.%d. Name another: make PYTHON=/path/to/python" % v[:2])'
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || { \
		echo 'Making .venv from requirements.lock …'; rm -rf .venv; "$(PYTHON)" -m venv .venv; }
	@awk '/^[^ ]/ {keep = /^uv==/} keep' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	@export VIRTUAL_ENV="$$PWD/.venv"; \
		$(BIN)/uv pip sync --quiet --require-hashes requirements.lock || { \
		echo 'uv could not install the packages (it does not read the configuration of pip); now pip does.' >&2; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(ENV)
