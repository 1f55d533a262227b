# Two commands do it all: `make repro` reads the embedded sample, `make test` runs the tests.
# The README has the same without make.

# make test PYTHON=python3.13: with that one; a virtual environment of another version is made anew.
PYTHON ?= python3
INTERPRETER := $(shell command -v $(PYTHON))
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# DVC writes some files of its own in place: killed meanwhile it leaves them empty, and then ends at once.
not_empty = test ! -e $(1) || test -s $(1) || \
	{ echo "error: $(1) is empty, as a DVC that was killed leaves it; run \`$(2)\` and the same again" >&2; exit 1; }

.PHONY: repro test check app fonts pull push gdrive-login gdrive-remote clean

repro: .venv/repro
	@$(call not_empty,.dvc/tmp/rwlock,rm .dvc/tmp/rwlock)
	@$(call not_empty,dvc.lock,git checkout dvc.lock)
	dvc repro
	@python -m textrec.report
	@echo "Look at what went in:         reports/iam_lines.png, reports/iam_paragraphs.png, reports/emnist_lines.png"
	@echo "Look at what was read wrong:  reports/errors.html"
	@echo "Look at how the data is:      reports/data.html"
	@git config user.name >/dev/null && git config user.email >/dev/null || \
		echo "Before dvc exp run:           git config user.name NAME; git config user.email ADDRESS"

test: .venv/test
	pytest --numprocesses 2 --dist loadfile

check: .venv/test
	ruff format --check
	ruff check
	pyright
	lint-imports

# A page that reads, in the browser.
app: .venv/app
	@python -m app --open

# Handwriting fonts of open licences, by npm, to data/fonts.
fonts: .venv/repro
	@python -m textrec.get_fonts

# Log in to Google Drive, once. Without google_drive_credentials.json it prints how to get that.
gdrive-login: .venv/repro
	@python -m textrec.gdrive_setup login

# dvc pull and dvc push, which by themselves wait without end for a Drive that does not answer, or for a login.
pull push: .venv/repro
	@python -m textrec.dvc_timeout $@

# make gdrive-remote FOLDER=<link or id of a Drive folder>: DVC's default remote; without FOLDER, the one that is it.
gdrive-remote: .venv/repro
	@python -m textrec.gdrive_setup remote '$(FOLDER)'

.venv/repro .venv/app .venv/test: .venv/%: pyproject.toml constraints.txt .venv/bin/python$(VERSION)
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable $(if $(filter repro,$*),.,'.[$*]')
	touch $@

.venv/bin/python$(VERSION):
	$(or $(INTERPRETER),$(PYTHON)) -m venv --clear .venv

clean:
	rm -rf .venv
