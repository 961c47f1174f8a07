# make demo    segment the sample radiograph
# make test    run all tests
# make lint    check the code's style and types
# make coverage  run all tests, and say which lines and branches of the product they reach
# make clean   remove what the others made
#
# Each makes the virtual environment .venv first, if it is not there yet. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
# needs Python 3.11
TRAINING = $$($(VENV_PYTHON) -c 'import sys; sys.version_info >= (3, 11) and print("--editable ./training")')
INSTALL := $(VENV_PYTHON) -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable
SAMPLE := Resources/Samples/knee.dcm
DEMO := output/demo

.PHONY: demo test lint coverage clean
.DELETE_ON_ERROR:

demo: .venv/installed
	@.venv/bin/grayscale-detseg segment $(SAMPLE) --output $(DEMO) --overwrite
	@echo "The result lies in $(DEMO):"
	@echo "  knee.png       the picture to look at: regions, contours, intervals"
	@echo "  knee.seg.nrrd  the segmentation, to be opened in 3D Slicer with $(SAMPLE)"
	@echo "  knee.json      all numbers"

test: .venv/installed-test
	$(VENV_PYTHON) -m pytest -n 2 --dist loadfile

coverage: .venv/installed-test
	$(VENV_PYTHON) -m coverage erase
	$(VENV_PYTHON) -m coverage run -m pytest
	$(VENV_PYTHON) -m coverage combine --quiet
	$(VENV_PYTHON) -m coverage report

lint: .venv/installed-test
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy

clean:
	rm -rf .venv output build dist .coverage* .pytest_cache .ruff_cache .mypy_cache .hypothesis */build */*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps are as new as the last installation; what is installed is edited in place, so that edits count at once.
.venv/installed: pyproject.toml constraints.txt | $(VENV_PYTHON)
	@echo "Installing what the command needs: numpy, pillow, pydicom and SimpleITK."
	$(INSTALL) .
	@touch $@

.venv/installed-test: pyproject.toml training/pyproject.toml constraints.txt | $(VENV_PYTHON)
	@echo "Installing what the command, its tests and the training need. The first time takes some minutes."
	$(INSTALL) '.[test,dev]' $(TRAINING)
	@touch .venv/installed $@

# Debian's Python has no ensurepip without the package python3-venv: then its pip installs into the environment.
$(VENV_PYTHON):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Python 3.10 to 3.13 is needed, and $(PYTHON) is none of these;" \
			"name another: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@rm -rf .venv
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv .venv; \
	else \
		$(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(VENV_PYTHON) install --quiet pip; \
	fi
