#!/bin/sh
# Every C file is as .clang-format has it.  To format them all: ci/check_format.sh fix
# Version 14 (Debian 12's): versions differ in what they make of the same settings.
set -eu
cd "$(dirname "$0")/.."

command -v clang-format-14 >/dev/null || {
    echo "check_format.sh: no clang-format-14: run ci/setup.sh" >&2
    exit 1
}
case "${1:-check}" in
check) mode="--dry-run -Werror" ;;
fix) mode=-i ;;
*)
    echo "usage: ci/check_format.sh [fix]" >&2
    exit 2
    ;;
esac
find platform backend model optim tracker cli tests -name '*.[ch]' | sort | xargs -n 16 clang-format-14 $mode || {
    echo "check_format.sh: files above are not formatted: run ci/check_format.sh fix" >&2
    exit 1
}
echo "check_format.sh: all C files are formatted"
