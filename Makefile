# Everything one does with this project, from a fresh clone with nothing but Python 3 and make.

PYTHON ?= python3
VENV ?= .venv
# Test processes at once: more than there are processors, as much of the tests' time is spent waiting for others.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 2)))

# What the demos run in: the package, a server and Django REST framework, and nothing of what tests need.
DEMO_VENV ?= .venv-demo
# Where they listen; another port is taken if this one is.
PORT ?= 8000

BIN = $(VENV)/bin
READY = $(VENV)/.ready
DEMO_BIN = $(DEMO_VENV)/bin
DEMO_READY = $(DEMO_VENV)/.ready
LINTED = django_grip tests examples benchmarks stubs setup.py

.DEFAULT_GOAL = help
.PHONY: help test lint format docs test-matrix pushpin-1.41 asyncapi-schema bench demo demo-pushpin demo-rest demo-rest-pushpin \
	demo-functions clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: lint ## lint, types and all tests; says by name what was skipped and why
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check $(wildcard $(LINTED))
	$(BIN)/ruff format --check $(wildcard $(LINTED))
	$(BIN)/mypy

format: $(READY) ## let ruff write the code as it wants it
	$(BIN)/ruff check --fix $(wildcard $(LINTED))
	$(BIN)/ruff format $(wildcard $(LINTED))

docs: $(READY) ## build docs/ into site/; a broken link is an error
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "The pages are in site/, beginning with site/index.html."

# Where pyenv is, its shims are told to answer for every version it has.
test-matrix: $(READY) ## the tests on every Python and Django that is supported and there
	PYENV_ROOT="$$(pyenv root 2>/dev/null)" PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -s -d : -)" \
		$(BIN)/tox $(ARGS)

pushpin-1.41: ## as root: a Pushpin newer than Debian's, in var/; from then on the end-to-end tests run on it, too
	@sh tests/make_pushpin_chroot.sh "$(or $(GRIP_TEST_PUSHPIN_ROOT),var/pushpin-1.41)"

# 350 kB, from where the AsyncAPI project publishes it.
asyncapi-schema: ## with npm: the official schema of AsyncAPI 3, in var/; from then on the tests hold documents to it
	@mkdir -p var/asyncapi
	@cd var/asyncapi && tar -xzf "$$(npm pack --silent @asyncapi/specs@6.11.1)" package/schemas/3.0.0.json
	@rm -f var/asyncapi/*.tgz

bench: $(READY) ## the benchmarks, side by side with the predecessors
	$(BIN)/python -m benchmarks

demo: $(DEMO_READY) ## a shared board on one page; prints its address
	@$(DEMO_BIN)/python examples/demo.py board --port $(PORT)

demo-pushpin: $(DEMO_READY) ## the same code behind Pushpin
	@$(DEMO_BIN)/python examples/demo.py board --pushpin --port $(PORT)

demo-rest: $(DEMO_READY) ## Django REST framework: a help desk, four transports on one URL
	@$(DEMO_BIN)/python examples/demo.py rest_tickets --port $(PORT)

demo-rest-pushpin: $(DEMO_READY) ## the same code behind Pushpin
	@$(DEMO_BIN)/python examples/demo.py rest_tickets --pushpin --port $(PORT)

demo-functions: $(DEMO_READY) ## the example with function views
	@$(DEMO_BIN)/python examples/demo.py function_views --port $(PORT)

clean: ## remove what these commands have made
	rm -rf $(VENV) .venv-* .tox build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis django_grip.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	{ echo "$(PYTHON) is older than Python 3.10; name a newer one: make PYTHON=python3.12 ..."; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' || \
	{ echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
endef

# Both are made once, and again when what they hold has changed.
$(READY): setup.py tests/requirements.txt tests/requirements-rest.txt tests/requirements-tools.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-e '.[rest,dev,zmq,crypto]' -r tests/requirements.txt -r tests/requirements-rest.txt \
		-r tests/requirements-tools.txt
	@touch $@

$(DEMO_READY): setup.py
	$(CHECK_PYTHON)
	@echo "Getting Django, Django REST framework and a server into $(DEMO_VENV), once. It may take a minute."
	@$(PYTHON) -m venv $(DEMO_VENV)
	@$(DEMO_BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,rest]'
	@touch $@
