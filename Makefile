# Everything runs in .venv, which scripts/setup.sh makes from requirements.lock; each target sees to it first. Running needs
# less than testing: `setup` installs what running needs, `tools` adds the tools of tests, checks and documentation.

FILE ?=
BIN := .venv/bin
# Whole files at a time, as many as tests/conftest.py says and in its order.
TESTS := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
# Else every process that a test or `make up` starts compiles this project's modules anew.
unexport PYTHONDONTWRITEBYTECODE
# mkdocs.yml makes every warning an error, such as a broken link or anchor.
DOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

.PHONY: help setup tools test-tools demo demo-mlx up test test-all test-random test-pythons check check-ruff check-mypy check-docs docs bench lock clean

help:
	@echo "make demo [FILE=...]   reads a sample (or FILE) with a whole stack, then stops it"
	@echo "make demo-mlx          the same with a very small vision-language model on MLX"
	@echo "make up                runs the stack until Ctrl-C; web UI and HTTP API at http://127.0.0.1:8000"
	@echo "make test              runs the tests that are not marked thorough, in some minutes"
	@echo "make test-all          runs all tests"
	@echo "make test-random       runs the property tests with new random examples [SEED=...]"
	@echo "make test-pythons      runs the unit tests on each other Python of this machine, 3.11 to 3.14"
	@echo "make check             what CI runs: ruff, mypy, the documentation, all tests"
	@echo "make docs              builds the documentation in build/site and fails on a broken link"
	@echo "make bench             lists the measurements in bench/"
	@echo "make setup             installs what demo and up need; make tools adds what checks and docs need"
	@echo "make lock [UPGRADE=1]  writes the exact versions of packages to requirements*.lock, UPGRADE=1 newer ones"
	@echo "make clean             removes .venv and everything that was built"
	@echo
	@echo "Switches of all targets, which are remembered until make clean:"
	@echo "  MLX=1                installs MLX for vision-language models, MLX=0 does not; by default only on Apple"
	@echo "                       silicon, and where its tests run"
	@echo "  TESSERACT=1          installs the engine tesseract; TESSERACT=0 removes it"
	@echo "  S3=1                 installs what a spool in object storage needs; S3=0 removes it"
	@echo "  PYTHON=python3.12    the interpreter of a new .venv"

SETUP = MLX="$(MLX)" TESSERACT="$(TESSERACT)" S3="$(S3)" PYTHON="$(PYTHON)" sh scripts/setup.sh

setup:
	@$(SETUP)

tools:
	@TOOLS=1 $(SETUP)

# The tests need the tools and MLX.
test-tools:
	@TOOLS=1 TESTS=1 $(SETUP)

demo: setup
	@$(BIN)/python -m scripts.demo $(if $(FILE),"$(FILE)")

demo-mlx: MLX := $(or $(MLX),1)
demo-mlx: setup
	@$(BIN)/python -m scripts.demo_mlx

up: setup
	@exec $(BIN)/python -m ocrqueue.stack

test: test-tools
	$(TESTS) -m "not thorough"

test-all: test-tools
	$(TESTS)

# Without SEED a new one is drawn; Hypothesis prints the example that failed.
test-random: test-tools
	@seed=$(if $(SEED),$(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')); \
	echo "seed $$seed: repeat with make test-random SEED=$$seed"; \
	$(TESTS) -m hypothesis --hypothesis-profile=random --hypothesis-seed=$$seed

test-pythons: tools
	@$(BIN)/python -m scripts.test_pythons

check: test-tools
	@$(MAKE) --no-print-directory -j check-ruff check-mypy check-docs
	$(TESTS)

# Parts of `make check` that run side by side.
check-ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-mypy:
	$(BIN)/mypy --strict ocrqueue tasks worker submit.py worker_config.py scripts bench tests/support/tiny_vlm

check-docs:
	$(DOCS)

docs: tools
	@$(DOCS)
	@echo "documentation: build/site/index.html; with search: $(BIN)/python -m http.server -d build/site"

bench: tools
	@$(foreach script,$(wildcard bench/*.py),echo "$(BIN)/python -m bench.$(basename $(notdir $(script)))";)

# mlx-vlm asks for opencv-python without using it; scripts/setup.sh says why it stays out.
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --quiet --no-emit-package opencv-python \
  --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: tools
	$(LOCK) requirements.txt -o requirements.lock
	$(LOCK) requirements-dev.txt -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
