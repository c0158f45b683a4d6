#!/bin/sh
# Make or update the environment: install.sh PYTHON FOLDER LOCK-FILE, in the repository's root.
# Needs a Python >= 3.11 with venv and pip; uses uv where it is present.
set -eu
python=$1 folder=$2 lock=$3

command -v "$python" >/dev/null 2>&1 || {
    echo "bourse: no $python found; choose one with: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "bourse: $python is $("$python" -V 2>&1), Bourse needs 3.11 or newer; choose one with: make PYTHON=..." >&2
    exit 1
}

echo "bourse: installing $lock into $folder ..." >&2
if ! [ -x "$folder/bin/python" ]; then
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" "$folder"
    else
        "$python" -c 'import venv, ensurepip' 2>/dev/null || {
            echo "bourse: $python has no venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
            exit 1
        }
        "$python" -m venv "$folder"
    fi
fi

if "$folder/bin/python" -c 'import pip' 2>/dev/null; then
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
else # made by uv, which leaves pip out
    uv pip install --quiet --python "$folder/bin/python" --require-hashes -r "$lock"
fi

# The environment knows where our modules are, as after an editable install: `-m backends.catalog` finds them where the
# caller's shell keeps Python from looking in the folder that it is started in (PYTHONSAFEPATH).
pwd >"$("$folder/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bourse.pth"
