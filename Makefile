# The workshop's commands. `make help` lists them. Every target sets up what it needs, and no more.

PYTHON ?= python3
BIN := .venv/bin

# What would lead Python or pip out of .venv, change what code means, or have all of it compiled anew by each process, is
# not for these commands.
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONINSPECT PYTHONSTARTUP PYTHONDONTWRITEBYTECODE
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON
export PIP_USER := 0

# `make PYTHON=python3.12 ...` wants that very one; else any that will do is taken, and kept.
SETUP := "$(PYTHON)" tools/environment.py $(if $(filter file,$(origin PYTHON)),,--chosen)

.DEFAULT_GOAL := help
.PHONY: help setup for-grading for-lab for-lite for-slides for-hub for-tests with-strace
.PHONY: grade sample-class student-bundle lite solutions lab release slides present demo bench-live
.PHONY: check test test-hub test-peers adequacy stock mutants bench-class test-slow test-everywhere attacks trace-calls fuzz-wire bench-watching bench-grading lock lock-check

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# --- set-up: .venv gets what a target needs; a phase of it that takes long says so ---

setup: for-lab ## install what grading and JupyterLab need into .venv (the targets do it by themselves)

# That it runs and is Python 3 is seen here; how old it may be, tools/environment.py says.
PYTHON_3 = [ "$$("$(PYTHON)" -c 'import sys; print(sys.version_info[0])' 2>/dev/null </dev/null)" = 3 ] || { \
	echo 'Set-up stopped: PYTHON is "$(PYTHON)", and that is no Python 3. Python 3.11 to 3.14 is needed.' \
	'On Debian and Ubuntu: apt-get install python3 python3-venv; to name one: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }

define ENVIRONMENT
@$(PYTHON_3)
@$(SETUP) $(1)
endef

for-grading:
	$(call ENVIRONMENT,grade)

for-lab:
	$(call ENVIRONMENT,grade lab)

for-lite:
	$(call ENVIRONMENT,grade lite)

for-slides:
	$(call ENVIRONMENT,grade slides)

for-hub:
	$(call ENVIRONMENT,grade lab slides test hub)

for-tests:
	$(call ENVIRONMENT,grade lab cluster lite slides tools test)

# --- the course ---

# The sample class has a course of its own, so that it never meets a real one.
SAMPLE = $(if $(strip $(ARGS) $(wildcard submitted/*)),,yes)

grade: for-grading ## grade submitted/ (or else a sample class, in build/sample-class). ARGS="--help" tells more
	@$(if $(SAMPLE),$(BIN)/python tests/sample_class.py build/sample-class)
	@$(BIN)/workshop grade $(if $(SAMPLE),--course build/sample-class,$(ARGS))

sample-class: for-grading ## what fourteen typical students hand in, in a course of its own: build/sample-class
	@$(BIN)/python tests/sample_class.py build/sample-class

student-bundle: for-grading ## what to hand out, as a folder and a zip: build/student-bundle
	@$(BIN)/workshop student-bundle $(ARGS)

lite: for-lite ## the bundle's notebooks as a static JupyterLite site: build/lite
	@$(BIN)/workshop lite $(ARGS)

solutions: for-grading ## the notebooks with answers, executed, to release a week later: build/solutions
	@$(BIN)/workshop solutions $(ARGS)

lab: for-lab ## open JupyterLab on the course
	@$(BIN)/jupyter lab --notebook-dir=. --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.news_url= $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

release: for-grading ## make release/, what students get, from source/
	@$(BIN)/python -m examiner.course.release

# --- the slides ---

slides: for-slides ## build slides/deck.html, slides/deck.pdf and slides/demo.html
	@$(BIN)/python slides/build.py

present: ## open the slides, with the demo and the nudge live in them
	@echo "slides/deck.html: any browser shows it"; "$(PYTHON)" -m webbrowser -t "file://$(CURDIR)/slides/deck.html" >/dev/null 2>&1 || true

# --- the live demo ---

demo: ## open the live demo alone, large
	@echo "slides/demo.html: any browser shows it"; "$(PYTHON)" -m webbrowser -t "file://$(CURDIR)/slides/demo.html" >/dev/null 2>&1 || true

bench-live: for-tests ## measure the live demo in Chromium beside interact. ARGS="--minutes 30" for the memory
	@$(BIN)/python bench/live.py $(ARGS)

# --- tests and checks ---

check: for-tests ## lint, format, types, which floor imports which, sizes, and that the lock is fresh; in under 20 s
	@echo "Linting"; $(BIN)/ruff check --quiet .
	@echo "Checking the format"; $(BIN)/ruff format --quiet --check .
	@echo "Checking types"; $(BIN)/mypy
	@echo "Checking which floor imports which"; $(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@echo "Checking sizes, and the lock against pyproject.toml"; \
	$(BIN)/python -m pytest -n 0 -q --no-header tests/project/test_sizes.py tests/project/test_dependencies.py

# Tests have a home and a scratch folder of their own, which are gone afterwards.
TEST = @room=$$(mktemp -d) && mkdir $$room/home && { HOME=$$room/home TMPDIR=$$room $(BIN)/python -m pytest

test: for-tests check ## all tests, in under 15 minutes
	$(TEST) $(ARGS); code=$$?; rm -rf $$room; exit $$code; }

test-peers: for-tests ## nbgrader's own tests of `nbgrader autograde`, with the examiner's settings (ten minutes)
	@$(BIN)/python tests/peers.py $(ARGS)

adequacy: for-tests ## grade the banks of wrong and right answers; count the grader's errors. ARGS="--stable 200" too
	@$(BIN)/python tests/adequacy.py $(ARGS)

stock: for-tests ## grade the banks by stock nbgrader too, and list the marks that differ (half an hour)
	@$(BIN)/python tests/stock.py $(ARGS)

mutants: for-tests ## mutate the reference answers; list those that keep their marks, and why
	@$(BIN)/python tests/mutants.py $(ARGS)

bench-class: for-tests ## a class of 300 from zip to feedback: time, memory, and that none is lost
	@$(BIN)/python bench/tutors_day.py 300

test-slow: for-tests ## the longer campaigns: fifty killed runs, the static site
	$(TEST) -m slow -o timeout=3000 $(ARGS); code=$$?; rm -rf $$room; exit $$code; }

test-hub: for-hub ## a class's day on a real JupyterHub, with users of the machine (root, ten minutes); pictures in build/hub-pictures
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --silent --no-audit --no-fund --prefix build/hub configurable-http-proxy@5.3.0
	$(TEST) -m hub -n 0 tests/hub $(ARGS); code=$$?; rm -rf $$room; exit $$code; }

test-everywhere: ## all tests on Debian 12, 13 and testing, as root and as an ordinary user (root, an hour). ARGS="trixie tutor"
	@tools/test_everywhere.sh $(ARGS)

attacks: for-tests ## play every hostile submission, alone and as a class by each way of grading, and print the tables (an hour)
	@$(BIN)/python tests/attacks/stage.py && $(BIN)/python tests/attacks/ways.py

with-strace:
	@command -v strace >/dev/null || { echo "This needs strace: apt-get install strace" >&2; exit 1; }

trace-calls: with-strace for-tests ## which system calls student code makes, beside the list that is allowed (needs strace)
	@$(BIN)/python tests/trace_calls.py $(ARGS)

fuzz-wire: for-tests ## answer the examiner with 100,000 malformed replies
	@$(BIN)/python tests/isolation/test_wire.py 100000

bench-watching: for-tests ## how long a student waits for feedback under `workshop grade --watch`
	@$(BIN)/python bench/watching.py $(ARGS)

bench-grading: for-tests ## one class by stock nbgrader and by the examiner, side by side. ARGS="--submissions 4" is quick
	@$(BIN)/python bench/grading.py $(ARGS)

# --- dependencies ---

lock: for-tests ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv lock --upgrade --quiet
	@$(BIN)/uv export --quiet --format requirements-txt --all-groups --all-extras --no-emit-project --no-header -o requirements.lock
	@echo "requirements.lock is renewed."

lock-check: for-tests ## prove that the lock installs on Linux, macOS and Windows, Python 3.11 to 3.14
	@$(BIN)/python tests/lock_platforms.py
