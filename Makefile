# Two commands: `make book` and `make test`. Both make the environment first, and both are quick
# when nothing has changed. Another Python: make PYTHON=python3.12 book

PYTHON ?= python3
PRESET ?= laptop
PORT ?= 8000
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)
BIN := .venv/bin
INSTALLED := .venv/.installed
CHECK := OMP_NUM_THREADS=1 VIDGEN_PRESET=smoke $(BIN)/python -m pytest -n 2 --dist loadfile
HOMEWORKS := $(basename $(notdir $(wildcard homework/[0-9]_*.py)))
SOLUTIONS := $(foreach name,$(HOMEWORKS),_build/homework/$(name)/$(name).ipynb)
NBVAL = $(CHECK) --nbval-lax --nbval-current-env --nbval-cell-timeout=240

.PHONY: book serve test notebooks homework kill-table grade exam address clean

book: $(INSTALLED)
	@$(BIN)/python book/build.py

serve: book
	@echo "book: http://127.0.0.1:$(PORT)/ (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python book/build.py
	$(CHECK) tests
	$(BIN)/python homework/make.py
	$(NBVAL) notebooks $(SOLUTIONS)

# Run the notebooks and keep their outputs (two cores: about two hours at the laptop preset).
notebooks: $(INSTALLED)
	$(BIN)/python notebooks/execute.py --preset $(PRESET) $(NOTEBOOKS)

# From the homeworks' sources: the students' notebooks, and in _build/homework what a teacher needs.
homework: $(INSTALLED)
	@$(BIN)/python homework/make.py

# Put all listed wrong answers to the checks again, for the teacher's kit.
kill-table: $(INSTALLED)
	@$(BIN)/python homework/kill.py

# The exam, with answers and without, in _build/exam: no part of the book.
exam: $(INSTALLED)
	@$(BIN)/python homework/exam.py

# Grade a folder of notebooks offline: make grade SUBMISSIONS=folder (and OUT=folder, HOMEWORK=1)
grade: $(INSTALLED)
	@test -n "$(SUBMISSIONS)" || { echo "Which folder? make grade SUBMISSIONS=folder"; exit 2; }
	@test -d _build/homework || $(BIN)/python homework/make.py
	@$(BIN)/python homework/grade.py "$(SUBMISSIONS)" $(if $(OUT),--out "$(OUT)") $(if $(HOMEWORK),--homework $(HOMEWORK))

# Say where the course lives, everywhere at once: make address URL=https://github.com/me/course
address: $(INSTALLED)
	@$(BIN)/python book/address.py $(URL)

clean:
	rm -rf .venv _build book/_static/vendor

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed, and this is " + v + ". Name another one: make PYTHON=python3.12 book")'
	@echo "environment: installing requirements.txt into .venv (some minutes the first time)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(if $(CI),--quiet) -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@
