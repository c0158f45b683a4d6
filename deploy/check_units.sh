#!/bin/sh
# Check the systemd units with systemd's own verifier, where it is installed. They name an installation in /opt/bourse
# by the user bourse, so they are checked in a root of their own that has both.
set -eu
command -v systemd-analyze >/dev/null 2>&1 || {
    echo "bourse: no systemd-analyze here: the units are only parsed, by tests/deploy/test_units.py" >&2
    exit 0
}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
units=$root/etc/systemd/system
mkdir -p "$units" "$root/opt/bourse/.venv/bin" "$root/usr/lib/systemd/system"
cp -r deploy/systemd/*.service deploy/systemd/*.d "$units"
printf '#!/bin/sh\n' >"$root/opt/bourse/.venv/bin/python"
chmod +x "$root/opt/bourse/.venv/bin/python"
# What every unit depends on by default.
cp -P /usr/lib/systemd/system/*.target "$root/usr/lib/systemd/system/"
said=$(systemd-analyze verify --man=no --root="$root" bourse-catalog.service bourse-order@1.service \
    bourse-frontend.service bourse-watch.service 2>&1) || {
    echo "$said" >&2
    exit 1
}
[ -z "$said" ] || {
    echo "$said" >&2
    exit 1
}
