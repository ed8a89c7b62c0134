#!/bin/sh
# `muonscope watch`: watch.py has the test.
. "$(dirname "$0")/support.sh"
/usr/bin/python3 "$(dirname "$0")/watch.py" "$muonscope" || fail "watch"
