#!/bin/sh
# See that there is a Chromium for the tests of the page, and what its driver needs: browser.sh PYTHON
# Debian's and Ubuntu's own where this user may install it, else the one that Playwright keeps in the home directory.
set -eu
python=$1

"$python" -m tests.page.browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "bourse: installing chromium, and libatomic1 for its driver ..." >&2
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium libatomic1 >/dev/null
else
    "$python" -m playwright install chromium
fi
"$python" -m tests.page.browser
