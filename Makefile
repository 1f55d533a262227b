# Two commands do it all: `make repro` reads the embedded sample, `make test` runs the tests.
# The README has the same without make.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test check clean

repro: .venv/repro
	dvc repro
	@python -m textrec.report
	@echo "Look at what went in:         reports/iam_lines.png, reports/iam_paragraphs.png, reports/emnist_lines.png"
	@echo "Look at what was read wrong:  reports/errors.html"

test: .venv/test
	pytest --numprocesses 2 --dist loadfile

check: .venv/test
	ruff format --check
	ruff check
	pyright

.venv/repro .venv/test: .venv/%: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable $(if $(filter test,$*),'.[test]',.)
	touch $@

clean:
	rm -rf .venv
