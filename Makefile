# The workshop's commands. `make help` lists them. Every target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: adequacy stock bench-class test-slow mutants help setup grade sample-class lite student-bundle solutions test lab check release lock lock-check browser slides present demo bench-live attacks fuzz-wire bench-grading

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# --- set-up ---

setup: $(VENV)/installed ## install everything into .venv (the other targets do it by themselves)

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 setup"; exit 1; }
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python lacks venv: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "Installing the locked packages (about a minute)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "Installing the workshop itself"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1
	@touch $@

browser: # Chromium, for the tests that drive a real browser
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  echo "Installing Chromium for the browser tests"; \
	  if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO=sudo; fi; \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null || \
	  { echo "Chromium could not be installed: install it by hand and run again"; exit 1; }; }

# --- the course ---

grade: setup ## grade submitted/ (a sample class if there is none): marks, feedback, report. ARGS="--help" tells more
	@test -n "$$(ls submitted 2>/dev/null)" || $(MAKE) --no-print-directory sample-class
	@$(BIN)/workshop grade $(ARGS)

sample-class: setup ## put what fourteen typical students hand in into submitted/
	@$(BIN)/python tests/sample_class.py .

student-bundle: setup ## what to hand out, as a folder and a zip: build/student-bundle
	@$(BIN)/workshop student-bundle

lite: setup ## the bundle's notebooks as a static JupyterLite site: build/lite
	@$(BIN)/workshop lite

solutions: setup ## the notebooks with answers, executed, to release a week later: build/solutions
	@$(BIN)/workshop solutions

lab: setup ## open JupyterLab on the course
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.news_url=

release: setup ## make release/, what students get, from source/
	@$(BIN)/python -m examiner.release

# --- the slides ---

slides: setup browser ## build slides/deck.html, slides/deck.pdf and slides/demo.html
	@command -v npm >/dev/null || { \
	  echo "Installing Node, which runs Marp"; \
	  if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO=sudo; fi; \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null || \
	  { echo "Node could not be installed: install Node 18 or later by hand and run again"; exit 1; }; }
	@$(BIN)/python slides/build.py

present: ## open the slides, with the demo and the nudge live in them
	@echo "slides/deck.html: any browser shows it"; $(PYTHON) -m webbrowser -t "file://$(CURDIR)/slides/deck.html" >/dev/null

# --- the live demo ---

demo: ## open the live demo alone, large
	@echo "slides/demo.html: any browser shows it"; $(PYTHON) -m webbrowser -t "file://$(CURDIR)/slides/demo.html" >/dev/null

bench-live: setup browser ## measure the live demo in Chromium beside interact. ARGS="--minutes 30" for the memory
	@$(BIN)/python bench/live.py $(ARGS)

# --- tests and checks ---

check: setup ## lint, format, types, notebooks' form, release/ and the lock are fresh
	@echo "Linting and formatting"; $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@echo "Checking types"; $(BIN)/mypy

test: setup browser check ## all tests, in under 15 minutes
	$(BIN)/python -m pytest

adequacy: setup ## grade the banks of wrong and right answers; count the grader's errors. ARGS="--stable 200" too
	@$(BIN)/python tests/adequacy.py $(ARGS)

stock: setup ## grade the banks by stock nbgrader too, and list the marks that differ (half an hour)
	@$(BIN)/python tests/stock.py $(ARGS)

mutants: setup ## mutate the reference answers; list those that keep their marks, and why
	@$(BIN)/python tests/mutants.py $(ARGS)

bench-class: setup ## a class of 300 from zip to feedback: time, memory, and that none is lost
	@$(BIN)/python bench/tutors_day.py 300

test-slow: setup browser ## the longer campaigns: fifty killed runs, the static site
	$(BIN)/python -m pytest -m slow -o timeout=3000

attacks: setup ## play every hostile submission against the grader and print the table
	@$(BIN)/python tests/attacks/stage.py

fuzz-wire: setup ## answer the examiner with 100,000 malformed replies
	@$(BIN)/python tests/test_wire.py 100000

bench-grading: setup ## one class by stock nbgrader and by the examiner, side by side. ARGS="--submissions 4" is quick
	@$(BIN)/python bench/grading.py $(ARGS)

# --- dependencies ---

lock: setup ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv lock --upgrade --quiet
	@$(BIN)/uv export --quiet --format requirements-txt --all-groups --no-emit-project --no-header -o requirements.lock
	@echo "requirements.lock is renewed."

lock-check: setup ## prove that the lock installs on Linux, macOS and Windows, Python 3.11 to 3.14
	@$(BIN)/python tests/lock_platforms.py
