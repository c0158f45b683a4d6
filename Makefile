# Needs GNU make and a Python >= 3.11 with venv and pip. PYTHON chooses the interpreter that .venv is made with.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
CHECKED := common backends trading frontend_site deploy examples benchmarks tests manage.py

# Only what the lock files name is used, in Python's usual way: no package of the machine, and of the caller's shell no
# module, warning or option. Nor does it keep Python from writing its bytecode: hundreds of processes are started from
# here, and each would compile all that it loads.
unexport $(filter PYTHON%,$(.VARIABLES)) DJANGO_SETTINGS_MODULE CDPATH
unexport $(filter GRPC_%,$(.VARIABLES))
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help install run status kill freeze stop start rebuild certificates test quick browser javascript screenshots check format journeys simulate chaos fuzz workload capacity bench bench-quick mutants protos lock bare-machine clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 21

install: $(VENV)/.installed ## the environment in .venv, from requirements.lock

$(VENV)/.installed: requirements.lock deploy/install.sh
	@sh deploy/install.sh "$(PYTHON)" "$(VENV)" requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock | $(VENV)/.installed
	@sh deploy/install.sh "$(PYTHON)" "$(VENV)" requirements-dev.lock
	@touch $@

$(VENV)/.installed-load: requirements-load.lock | $(VENV)/.installed
	@sh deploy/install.sh "$(PYTHON)" "$(VENV)" requirements-load.lock
	@touch $@

$(VENV)/.installed-bench: requirements-bench.lock | $(VENV)/.installed
	@sh deploy/install.sh "$(PYTHON)" "$(VENV)" requirements-bench.lock
	@touch $@

$(VENV)/.installed-mutants: requirements-mutants.lock | $(VENV)/.installed-dev
	@sh deploy/install.sh "$(PYTHON)" "$(VENV)" requirements-mutants.lock
	@touch $@

run: $(VENV)/.installed ## everything in the foreground; SEED=file.csv, PORT=8081, BOURSE_DATA_DIR=var; Ctrl-C stops it
	@exec $(PY) -m deploy.run

status: $(VENV)/.installed ## the processes of `make run`, and the replicas
	@$(PY) -m deploy.control status

kill: $(VENV)/.installed ## SIGKILL a process, P=order-3; it is started again
	@$(PY) -m deploy.control kill $(or $(P),$(error which one? P=order-3))

freeze: $(VENV)/.installed ## a process stands still, P=order-3, for S=10 seconds
	@$(PY) -m deploy.control freeze $(or $(P),$(error which one? P=order-3)) --seconds $(or $(S),10)

stop: $(VENV)/.installed ## stop a process, P=order-3; it stays away
	@$(PY) -m deploy.control stop $(or $(P),$(error which one? P=order-3))

start: $(VENV)/.installed ## start a stopped process, P=order-3
	@$(PY) -m deploy.control start $(or $(P),$(error which one? P=order-3))

rebuild: $(VENV)/.installed ## rebuild a lost or damaged catalog from the replicas, everything stopped; ARGS=...
	@$(PY) -m backends.catalog.rebuild $(ARGS)

certificates: ## for TLS between the processes: DIR=certs, NAME=bourse, HOSTS="localhost 127.0.0.1 ::1"
	@sh deploy/certificates.sh "$(or $(DIR),certs)" "$(or $(NAME),bourse)" "$(or $(HOSTS),localhost 127.0.0.1 ::1)"

test: $(VENV)/.installed-dev ## all tests, under 5 minutes on two cores; those of the page if there is a Chromium; WORKERS=3, ARGS=...
	@$(PY) -m pytest -n $(or $(WORKERS),3) --dist worksteal $(ARGS)

quick: $(VENV)/.installed-dev ## the tests that start no process, and 200 simulated runs, under 40 s on two cores; ARGS=...
	@$(PY) -m pytest -q -n 2 --dist worksteal -m "not processes" \
		"tests/simulation/test_simulation.py::test_invariants_hold[0]" \
		"tests/simulation/test_simulation.py::test_invariants_hold[1]" \
		tests/test_imports.py tests/backends tests/common tests/trading $(ARGS)

browser: $(VENV)/.installed-dev ## Chromium for the tests of the page, if this machine has none
	@sh deploy/browser.sh $(PY)

javascript: $(VENV)/.installed-dev ## the npm package eventsource for the tests of clients of /events, and those tests; needs node and npm
	@npm install --silent --no-save --prefix $(VENV)/node eventsource@3.0.7
	@$(PY) -m pytest tests/journeys/test_event_clients.py $(ARGS)

screenshots: $(VENV)/.installed-dev ## docs/screenshots anew, from a system of their own
	@$(PY) -m tests.page.screenshots $(ARGS)

journeys: $(VENV)/.installed-dev ## the scenarios in full size; J=kill_each_process for one, SEED=file.csv for its stocks
	@BOURSE_TEST_SIZE=full BOURSE_TEST_SEED="$(SEED)" $(PY) -m pytest -v -rA $(if $(J),tests/journeys/test_$(J).py,tests/journeys) $(ARGS)

simulate: $(VENV)/.installed-dev ## seeded runs under faults, in one thread each; SEEDS=1-100000, SECONDS=3600; SEED=7: one, its whole trace
	@$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SECONDS),--seconds $(SECONDS))

chaos: $(VENV)/.installed-dev ## faults on the real processes, some 20 minutes; FAULT=leader for some, SECONDS=600, SEED=1
	@$(PY) -m tests.chaos $(if $(FAULT),--fault $(FAULT)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

fuzz: $(VENV)/.installed-dev ## requests made from the OpenAPI document against the running system; ARGS="--seed 1"
	@$(PY) -m tests.fuzz.run $(ARGS)

mutants: $(VENV)/.installed-mutants ## changes to the core that the tests near it do not notice, some hours; M='backends.catalog.gate*'
	@nice $(PY) -m mutmut run --max-children $(or $(WORKERS),1) $(if $(M),'$(M)')
	@$(PY) -m mutmut results

workload: $(VENV)/.installed-load ## clients that look up and trade, on a system of their own; plots in docs/workload; ARGS=...
	@$(PY) -m examples.workload $(ARGS)

capacity: $(VENV)/.installed-load ## Locust against a running system; URL=http://127.0.0.1:8081, ARGS="--users 64"
	@$(PY) -m locust -f examples/locustfile.py --headless --only-summary --users 32 --spawn-rate 32 --run-time 30s \
		--host "$(or $(URL),http://127.0.0.1:8081)" $(ARGS)

bench: $(VENV)/.installed-bench ## speed beside peers, 15 to 30 minutes: a table, and var/bench.json; ARGS="--parts orders"
	@$(PY) -m benchmarks $(ARGS)

bench-quick: $(VENV)/.installed-bench ## the first two parts of it, briefly
	@$(PY) -m benchmarks --quick $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, imports, generated code
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy $(CHECKED)
	@$(VENV)/bin/lint-imports --no-logo --no-cache
	@sh deploy/check_protos.sh $(PY)
	@sh deploy/check_units.sh

format: $(VENV)/.installed-dev ## format the code and sort its imports
	@$(PY) -m ruff check --quiet --select I --fix .
	@$(PY) -m ruff format --quiet .

protos: $(VENV)/.installed-dev ## generate the code of protos/
	@sh deploy/protos.sh $(PY) .

lock: $(VENV)/.installed ## remake the lock files from pyproject.toml
	@sh deploy/lock.sh $(PY)

bare-machine: ## `make run` and `make test` in a bare Debian, as root; SUITE=bookworm, DIR=folder for its root, ARGS=...
	@sh deploy/bare_machine.sh $(or $(SUITE),trixie) "$(or $(DIR),/tmp/bourse-bare)" $(ARGS)

clean: ## remove the environment and the caches; data stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mutants
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
