#!/bin/sh
# Make or update the environment: install.sh PYTHON FOLDER LOCK-FILE, in the repository's root.
# Needs a Python >= 3.11 with venv and pip; uses uv where it is present.
set -eu
python=$1 folder=$2 lock=$3

# The caller's pip and uv say where packages come from and how they are fetched, not which they are or where they go.
for name in $(env | sed -n -e 's/^\(PIP_[A-Z_]*\)=.*/\1/p' -e 's/^\(UV_[A-Z_]*\)=.*/\1/p'); do
    case $name in
        *INDEX* | *FIND_LINKS | *HOST* | *CERT* | *TLS | *PROXY | *CACHE* | *TIMEOUT | *RETRIES | *OFFLINE) ;;
        *CONFIG_FILE | *KEYRING* | UV_PYTHON_*) ;;
        *) unset "$name" ;;
    esac
done

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
