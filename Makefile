# LumiKB's commands. `make serve` and `make test` are all that a newcomer needs; both set everything up by themselves.
SHELL := /bin/sh
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS ?= never
export UV_LINK_MODE ?= copy
# A start reads compiled files instead of compiling: .7 s of imports instead of 1.5, also where Python may not write any.
export UV_COMPILE_BYTECODE ?= 1
# Tests keep what pytest makes of them, which takes six seconds a process.
test check test-slow: export PYTHONDONTWRITEBYTECODE =
DATA ?= ../shared/data/cranfield
JOBS ?= 2
UV = $$(tools/bootstrap-uv)
RUN = .venv/bin

.PHONY: help serve dev sample test check quick-tests test-slow static types setup setup-dev wheel reference bench-embed bench-ingest bench-quality bench-claims clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup:
	@$(UV) sync --quiet --locked --inexact --no-default-groups --group model
	@$(RUN)/python -m compileall -q src
	@tools/install-ocr

setup-dev:
	@$(UV) sync --quiet --locked
	@tools/install-ocr

serve: setup ## Set up and start LumiKB on http://127.0.0.1:8080
	@LUMIKB_DATA_DIR=$${LUMIKB_DATA_DIR:-./lumikb-data} exec $(RUN)/lumikb serve

dev: setup-dev ## Serve, and start again when a source file changes
	@LUMIKB_DATA_DIR=$${LUMIKB_DATA_DIR:-./lumikb-data} exec $(RUN)/watchfiles --filter python "$(RUN)/lumikb serve" src

sample: setup ## Add the sample knowledge base
	@LUMIKB_DATA_DIR=$${LUMIKB_DATA_DIR:-./lumikb-data} $(RUN)/lumikb sample

test: setup-dev static ## Set up and run all tests but the slow ones
	$(RUN)/pytest -q -n $(JOBS) --dist loadgroup -m "not slow" tests

check: setup-dev static ## Format, lint, types, layers, unit and contract tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync types quick-tests

quick-tests:
	$(RUN)/pytest -q -n $(JOBS) --dist loadgroup -m "not slow and not thorough and not acceptance" tests/unit tests/contract

test-slow: setup-dev ## Soak, chaos and packaging runs
	$(RUN)/pytest -q -m slow tests

static:
	@$(RUN)/ruff format --check --quiet .
	@$(RUN)/ruff check --quiet .
	@mkdir -p .cache && $(RUN)/lint-imports >.cache/layers.log 2>&1 || { cat .cache/layers.log; exit 1; }

types:
	@$(RUN)/pyright

wheel: setup-dev ## Build a wheel that carries the model
	@rm -rf dist && $(UV) build --quiet --wheel && ls -l dist

reference: setup-dev ## Write docs/reference from the code
	@$(RUN)/python -m tools.reference

bench-embed: setup-dev ## Embedding speed against sentence-transformers
	@$(RUN)/python -m bench.embed

bench-ingest: setup-dev ## Reading and chunking against PyMuPDF and markitdown, and a whole ingest
	@$(RUN)/python -m bench.ingest
	@$(RUN)/python -m bench.ingest_server

bench-quality: setup-dev ## Retrieval quality on DATA=…/cranfield
	@$(RUN)/python -m bench.quality --data $(DATA)

bench-claims: setup-dev ## The check of answers on planted claims
	@$(RUN)/python -m bench.claims

clean: ## Remove what the commands above made, but no data
	rm -rf .venv .cache dist build .pytest_cache .ruff_cache
