#!/bin/sh
# Remake the lock files from pyproject.toml, with the newest versions that it allows: lock.sh PYTHON
set -eu
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    "$1" -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv=$tools/bin/uv
fi
compile() {
    "$uv" pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --python-version 3.11 "$@"
}
compile pyproject.toml --output-file requirements.lock
compile pyproject.toml --extra dev --extra e2e --constraint requirements.lock --output-file requirements-dev.lock
compile pyproject.toml --extra load --constraint requirements-dev.lock --output-file requirements-load.lock
compile pyproject.toml --extra bench --constraint requirements-dev.lock --output-file requirements-bench.lock
compile pyproject.toml --extra mutants --constraint requirements-dev.lock --output-file requirements-mutants.lock
