# Two commands do everything on a machine with git, make and Python 3.11 (with venv and pip):
#   make run    set up, start it all with the demo data, buy something at a pharmacy, keep serving
#   make test   set up, then every check and every test
# Each step is a target of its own; `make help` lists them.

.DEFAULT_GOAL := help
.NOTPARALLEL:          # the order of `make test` is meant: what is quick and cheap fails first
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BIN := .venv/bin
SET_UP := .venv/set-up.stamp
TEST_PROCESSES ?= 2

# The first of these that is Python 3.11 or newer; empty when there is none.
PYTHON := $(firstword $(foreach name,python3.11 python3 python3.13 python3.12,\
	$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

.PHONY: run
run: setup ## start everything with the demo data and one sample purchase; Ctrl-C ends it
	@exec $(BIN)/gongji up --demo --purchase

.PHONY: test
test: setup lint types imports check-proto check-requirements unit ## every check and every test

.PHONY: setup
setup: $(SET_UP) ## a virtual environment in .venv with the locked dependencies

$(SET_UP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install python3.11 and python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment: install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lint
lint: setup bandit ## style, formatting and security faults
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: bandit
bandit: setup ## security faults that a reader of the source can see
	$(BIN)/bandit --configfile pyproject.toml --quiet --recursive src/gongji_svc gateway

# It asks a service, so it is no part of `make test`. What the service doesn't know is an error too.
.PHONY: audit
audit: setup ## known vulnerabilities of what is locked; needs the network
	@$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict \
		--progress-spinner off \
		|| { echo "the audit has findings, or its service could not be asked: see above" >&2; exit 1; }

.PHONY: sbom
sbom: setup ## the software bill of materials (CycloneDX) of what runs, into build/sbom.json
	$(BIN)/python -m tests.sbom build/sbom.json

.PHONY: types
types: setup ## static types, strict
	$(BIN)/mypy

.PHONY: imports
imports: setup ## imports point one way only
	$(BIN)/lint-imports --no-logo

.PHONY: proto
proto: setup ## regenerate src/gongji from proto/
	$(BIN)/python proto/generate.py

.PHONY: check-proto
check-proto: setup ## the generated code is that of the contract, and the contract is clean
	$(BIN)/python proto/generate.py --check
	$(BIN)/buf lint

.PHONY: requirements
requirements: setup ## rewrite docs/requirements.md from the tests' markers
	$(BIN)/python -m tests.requirements

.PHONY: check-requirements
check-requirements: setup ## docs/requirements.md is up to date
	$(BIN)/python -m tests.requirements --check

.PHONY: unit
unit: setup ## the tests; K=words runs those whose name has them
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(if $(K),-k "$(K)")

.PHONY: fuzz
fuzz: setup ## fuzz, SECONDS=600 each: two coverage-guided targets, then a running service; SEED=1, INPUT=file
	FUZZ_SECONDS=$(or $(SECONDS),600) FUZZ_SEED=$(or $(SEED),1) FUZZ_INPUT=$(INPUT) \
		$(BIN)/python -m pytest -s tests/fuzz $(if $(INPUT),-k "$(notdir $(patsubst %/,%,$(dir $(INPUT))))")

.PHONY: bench
bench: setup ## measure one worker and rewrite docs/benchmarks.md, ten minutes; ARGS="--rounds 5" and the like
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-short
bench-short: setup ## the same ratios from one short round, a minute; writes nothing
	$(BIN)/python -m bench --short

.PHONY: bench-memory
bench-memory: setup ## what the core holds under an hour of load, for docs/benchmarks.md; ARGS="--minutes 10"
	$(BIN)/python -m bench.memory $(ARGS)

.PHONY: bench-large
bench-large: setup ## settle among ten million people, for docs/benchmarks.md, 40 GB; ARGS="--persons 100000 --entries 500000"
	$(BIN)/python -m bench.large $(ARGS)

.PHONY: bench-load
bench-load: setup ## measure loading a million allocations for docs/benchmarks.md, ten minutes; ARGS="--rounds 1"
	$(BIN)/python -m bench.allocations $(ARGS)

.PHONY: bench-flood
bench-flood: setup ## measure what a flood by one till does to another for docs/benchmarks.md, three minutes
	$(BIN)/python -m bench.flood $(ARGS)

.PHONY: format
format: setup ## put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# uv resolves for every platform at once. It is a developer's tool, so it lives only for this.
.PHONY: lock
lock: ## resolve the dependencies anew into requirements.lock
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder"; "$$folder/bin/pip" install --quiet uv; \
	"$$folder/bin/uv" pip compile pyproject.toml --group dev --generate-hashes --universal \
		--python-version 3.11 --no-header --no-emit-index-url --quiet -o requirements.lock
