# Everything runs from the project's folder and by relative names, so that the path to it may have spaces.

PYTHON ?= python3
PY := .venv/bin/python

.PHONY: install run test coverage check check-scripts audit matrix bench load chaos docs image schema reference messages lock

install: .venv/installed.stamp
	@:

# Again whenever the requirements changed.
.venv/installed.stamp: requirements.txt requirements-dev.txt
	@command -v "$(PYTHON)" > /dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit("This is Python %d.%d; 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv"
	@"$(PYTHON)" -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-dev.txt
	@touch $@

run: install
	@exec $(PY) -m amazon_accounts.starter

test: install
	$(PY) -m pytest -n 4 --dist loadgroup --reruns 1 --rerun-show-tracebacks -r aR $(PYTEST_OPTIONS)

# The suite with branch coverage. Never lower these bounds.
coverage: install
	$(MAKE) test PYTEST_OPTIONS="--cov --cov-report="
	.venv/bin/coverage report --skip-covered --include="accounts/*" --fail-under=95
	.venv/bin/coverage report --skip-covered --include="tokens/*" --fail-under=95

check: install check-scripts
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy .
	.venv/bin/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml accounts amazon_accounts dashboard tokens
	.venv/bin/typos
	.venv/bin/sqlfluff lint --processes 0 accounts amazon_accounts dashboard tokens
	.venv/bin/lint-imports
	.venv/bin/djade --check --target-version 5.2 $$(find dashboard accounts -name "*.html")
	$(PY) manage.py check --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run

# The console's scripts and styles. Where there is no Node.js this is left out; .ci/run insists on it.
check-scripts:
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory .lint/node_modules/.package-lock.json \
	    && .lint/node_modules/.bin/biome check --config-path=.lint --error-on-warnings dashboard/static; \
	else echo "No npm here: the scripts and styles are not checked" >&2; fi

.lint/node_modules/.package-lock.json: .lint/package-lock.json
	@npm --prefix .lint ci --silent && touch $@

# Known vulnerabilities of the pinned packages. Where PyPI's answers have none for a release that has several, the
# database cannot be reached: the audit is left out, and says so.
AUDIT_PROBE := https://pypi.org/pypi/django/5.2/json

audit: install
	@if $(PY) -c "import sys, httpx; sys.exit(not httpx.get('$(AUDIT_PROBE)', timeout=10).json().get('vulnerabilities'))" 2> /dev/null; \
	then .venv/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt; \
	else echo "SKIPPED pip-audit: $(AUDIT_PROBE) gives no known vulnerabilities" >&2; fi

# The suite's core on every version of PostgreSQL, Python and Django that can be had. MATRIX_OPTIONS="--only postgresql-14"
# runs one, and --quick only checks the project with the newest Python and Django.
matrix: install
	$(PY) -m tests.matrix $(MATRIX_OPTIONS)

bench: install
	$(PY) -m tests.bench

# Half an hour with 1,000 connections. LOAD_OPTIONS="--seconds 120 --connections 100 --compression 30" makes another load.
load: install
	$(PY) -m tests.load --report docs/load.md $(LOAD_OPTIONS)

# Storms of faults for half an hour. CHAOS_OPTIONS="--seconds 300 --seed 7 --logins 20" makes another storm.
chaos: install
	$(PY) -m tests.chaos --report docs/chaos.md $(CHAOS_OPTIONS)

# The steps of the Dockerfile in a temporary folder, and how large its own layers are.
image:
	@folder=$$(mktemp -d) && mkdir -p "$$folder/app/deploy" \
	    && cp -r accounts amazon_accounts dashboard locale tokens manage.py requirements.txt "$$folder/app" \
	    && rm -rf "$$folder/app/amazon_accounts/sandbox" && cp deploy/build.sh "$$folder/app/deploy" && cd "$$folder/app" \
	    && deploy/build.sh packages "$$folder/venv" && deploy/build.sh static "$$folder/venv" \
	    && deploy/build.sh slim "$$folder/venv" && du -sm "$$folder/venv" "$$folder/app" "$$folder" && rm -rf "$$folder"

# The API as others see it; a change of it is a change of this file.
schema: install
	$(PY) manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn

# The documents as a site, in var/site/.
docs: install
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

# docs/reference/, which a test compares with the code.
reference: install
	$(PY) docs/make_reference.py

# The texts of the pages of clients, for translators and compiled. It needs GNU gettext; nothing else does.
messages: install
	$(PY) manage.py makemessages --all --no-location --no-wrap --no-obsolete --ignore .venv --ignore var --ignore tests
	sed -i '/^"POT-Creation-Date\|^"Report-Msgid-Bugs-To/d' locale/*/LC_MESSAGES/django.po
	$(PY) manage.py compilemessages --ignore .venv

lock: install
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements.in -o requirements.txt
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements-telemetry.in -o requirements-telemetry.txt
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url requirements-dev.in -o requirements-dev.txt
