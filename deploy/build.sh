#!/bin/sh
# What the Dockerfile does, step by step, so that it can be done in any folder: `make image` does it in a temporary one.
#
#     deploy/build.sh packages VENV      installs what production runs, by hash
#     deploy/build.sh static VENV        collects and compresses the static files of the project in the current folder
#     deploy/build.sh slim VENV          removes what no process of production reads
set -eu
step=$1
venv=$2

packages() {
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-compile \
        --require-hashes -r requirements.txt
    "$venv/bin/python" -m pip uninstall --quiet --yes pip setuptools > /dev/null 2>&1 || true
}

static() {
    # Production insists on its variables; none of these values stays in the image.
    DATABASE_URL=postgresql://build@localhost/build SECRET_KEY=build INSECURE=1 ALLOWED_HOSTS=build \
        TOKEN_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= PUBLIC_URL=https://build \
        AMAZON_CLIENT_ID=build AMAZON_CLIENT_SECRET=build \
        "$venv/bin/python" manage.py collectstatic --no-input --verbosity 0 --ignore redoc --ignore gis
}

slim() {
    project=$PWD
    cd "$venv"/lib/python3*/site-packages
    # Their files are collected.
    find . -type d -name static -prune -exec rm -rf {} +
    # The languages of the pages of clients; the console is in English.
    find . -name '*.mo' ! -path '*/locale/en/*' ! -path '*/locale/de/*' ! -path '*/locale/fr/*' \
        ! -path '*/locale/es/*' ! -path '*/locale/it/*' ! -path '*/locale/ja/*' -delete
    find . -name '*.po' -delete
    find . -type d -name tests -prune -exec rm -rf {} +
    find . "$project" -name __pycache__ -prune -exec rm -rf {} +
    find . -type d -empty -delete
    rm -rf pip pip-* setuptools setuptools-* pkg_resources _distutils_hack distutils-precedence.pth
    # Pillow goes on without this format.
    rm -f PIL/_avif*.so pillow.libs/libavif*
    if command -v strip > /dev/null; then
        find . -type f -name '*.so*' -exec strip --strip-unneeded {} + 2> /dev/null || true
    fi
}

"$step"
