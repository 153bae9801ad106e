# Each target installs what it needs into a virtual environment of the project's own.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m
FIT = --rows 20000 --repeats 3

.PHONY: kddcup99 benchmark test lint release docs clean

$(VENV)/installed-%: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --constraint constraints.txt --editable '.[$*]'
	touch $@

# The main job: KDD Cup 1999 from a table to a figure. ARGS="--seeds 10" passes more on.
kddcup99: $(VENV)/installed-examples
	$(VENV)/bin/python examples/kddcup99.py $(ARGS)

# Speed and memory beside a bare torch loop and other libraries; takes a quiet machine.
benchmark: $(VENV)/installed-benchmarks
	$(VENV)/bin/python examples/benchmarks/few_rows.py --calls 300
	$(VENV)/bin/python examples/benchmarks/fit_speed.py $(FIT) --batch-sizes 1024 256
	$(VENV)/bin/python examples/benchmarks/fit_speed.py $(FIT) --batch-sizes 32 --epochs 1
	$(VENV)/bin/python examples/benchmarks/fit_speed.py $(FIT) --detectors \
		VAE MemAE StudentTeacher GANomaly EGBAD
	$(VENV)/bin/python examples/benchmarks/batched_members.py --network narrow VAE
	$(VENV)/bin/python examples/benchmarks/scaling.py $(ARGS)
	$(VENV)/bin/python examples/benchmarks/memory.py
	$(VENV)/bin/python examples/benchmarks/out_of_core.py --linear --columns 32 \
		--batch-size 1024
	$(VENV)/bin/python examples/benchmarks/dask_scoring.py

test: $(VENV)/installed-test
	$(RUN) pytest --quiet --numprocesses auto $(ARGS)

lint: $(VENV)/installed-dev
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) codespell_lib
	$(RUN) mypy
	$(RUN) mypy --strict --follow-imports silent tests/typing/user.py

# Build the wheel, and try it in an environment that holds nothing else.
release: $(VENV)/installed-dev
	rm -rf dist build/wheel
	$(RUN) build
	$(RUN) twine check --strict dist/*
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/pip install --quiet --constraint constraints.txt dist/*.whl
	build/wheel/bin/python tests/core_only.py

docs: $(VENV)/installed-docs
	$(RUN) sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build docs/auto_examples docs/generated docs/_list_of_*.rst
