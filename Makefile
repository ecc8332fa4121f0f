# Each target first brings what it needs, and does nothing twice. Choices: GPU=cuda|vulkan|metal|rocm|cpu, PORT=7860.

GPU ?=
PORT ?=
export GPU PORT

UV := .venv/bin/uv
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup chat test check bench eval lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 8

setup: ## install packages, fetch the models, index seeds/
	@bash setup.sh run

chat: setup ## setup, then open the chat page
	@exec .venv/bin/assistant chat $(if $(PORT),--port $(PORT))

test: ## all tests, with the real models and a browser
	@bash setup.sh test
	@exec .venv/bin/pytest

check: ## format, lint, types and the rules of the rooms
	@bash setup.sh dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pytest -q tests/test_rooms.py

bench: ## measure speed
	@bash setup.sh bench
	@exec .venv/bin/assistant bench

eval: ## measure answers
	@bash setup.sh eval
	@exec .venv/bin/assistant eval

lock: ## exact versions again, after a change of pyproject.toml
	@bash setup.sh dev
	$(COMPILE) pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --group eval --constraints requirements/dev.txt --output-file requirements/eval.txt
	$(COMPILE) pyproject.toml --constraints requirements/dev.txt --output-file requirements/lock.txt
	$(COMPILE) --group bench --no-annotate --output-file requirements/bench.txt
	echo uv | $(COMPILE) - --no-annotate --output-file requirements/uv.txt
	printf '%s\n' cmake editables hatchling ninja 'scikit-build-core[pyproject]' | \
		$(COMPILE) - --no-annotate --output-file requirements/build.txt

clean: ## remove .venv and caches; models and documents stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
