#!/bin/sh
# The page of `muonscope watch` in headless Chromium, while a run trains.
. "$(dirname "$0")/support.sh"
chromium=$(command -v chromium) || fail "Debian's chromium is needed (ci/setup.sh)"
/usr/bin/python3 "$(dirname "$0")/watch_page.py" "$muonscope" "$chromium" || fail "watch_page"
