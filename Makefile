# Every target makes the environment that it needs: on a fresh machine `make demo` and `make test` are enough.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
READY := .venv/ready
DATA ?= $(or $(CHAINRULE_DATA),../shared/data)

.PHONY: audit demo test test-quick mutants check format bench never-worse reproduce smoke results figures docs soak clean
.DEFAULT_GOAL := demo

# --no-compile: most of what is installed is never imported.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e .
	touch $@

$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[dev,all]"
	touch $@

demo: $(INSTALLED)  ## train on the digits, report, draw samples: runs/digits-K
	$(BIN)/chainrule fit digits

test: $(READY)  ## the tests, the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu and not soak" -q -n 2 --dist worksteal --durations=10

test-quick: $(READY)  ## the default tier
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

mutants: $(READY)  ## every planted fault and sound model, and the table in docs/certificate.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants.harness --processes=2

check: $(READY)  ## format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## ratios against peers, side by side
	$(BIN)/python -m benchmarks $(if $(wildcard $(DATA)),--data $(DATA))

never-worse: $(READY)  ## the default against what is cheap, on every set and budget: docs/never_worse.md; goes on where it was
	$(BIN)/python -m benchmarks.never_worse $(if $(wildcard $(DATA)),--data $(DATA))

reproduce: $(READY)  ## every recipe within its budget: records/, docs/results.md; finished ones stay
	$(BIN)/chainrule reproduce --all --resume --data $(DATA)

smoke: $(READY)  ## a few steps of every recipe
	rm -rf build/smoke
	$(BIN)/chainrule reproduce --all --smoke --data $(DATA) --out build/smoke

results: $(READY)  ## docs/results.md from the records
	$(BIN)/chainrule reproduce --table

figures: $(READY)  ## make the figures of the documentation again
	$(BIN)/python docs/make_heads_figures.py
	$(BIN)/python docs/make_networks_figures.py
	$(BIN)/python docs/make_novelty_figures.py

docs: $(READY)  ## the pages made from the sources: docs/options.md, docs/files.md, and the API reference build/docs/index.html
	$(BIN)/python docs/make_options.py
	$(BIN)/python docs/make_files.py
	$(BIN)/python docs/make_reference.py build/docs

soak: $(READY)  ## the cases by the hundred; then kill, damage and resume trainings for hours
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "soak and not gpu" -q -n 2 --dist worksteal
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.support.soak

audit: $(READY)  ## known weaknesses of the dependencies (needs the network), their licences, and an SBOM: build/sbom.json
	mkdir -p build
	$(BIN)/python -m pip install --quiet pip-audit cyclonedx-bom
	-$(BIN)/pip-audit --skip-editable
	$(BIN)/cyclonedx-py environment --output-file build/sbom.json
	$(BIN)/python -c "import json; print('\n'.join(sorted(f\"{c['name']} {c['version']}: {c.get('licenses')}\" for c in json.load(open('build/sbom.json'))['components'])))"

clean:
	rm -rf .venv build dist *.egg-info
