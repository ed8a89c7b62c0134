#!/bin/sh
# Every C file is as .clang-format has it.  To format them all: ci/check_format.sh fix
# Version 14 (Debian 12's): versions differ in what they make of the same settings.  Checks nothing, and says so, where Debian does
# not have it.
set -eu
cd "$(dirname "$0")/.."

is_debian_12() (
    . /etc/os-release && [ "$ID-${VERSION_ID:-}" = debian-12 ]
)
command -v clang-format-14 >/dev/null || {
    if [ "${1:-check}" = fix ] || is_debian_12; then
        echo "check_format.sh: no clang-format-14: run ci/setup.sh on Debian 12" >&2
        exit 1
    fi
    echo "check_format.sh: skipped: clang-format-14 is Debian 12's, and no other version agrees with it"
    exit 0
}

# on_all_files OPTIONS...
on_all_files() {
    find platform backend model optim tracker train library cli examples tests -name '*.[ch]' | sort | xargs -n 16 clang-format-14 "$@"
}

case "${1:-check}" in
check)
    on_all_files --dry-run -Werror || {
        echo "check_format.sh: files above are not formatted: run ci/check_format.sh fix" >&2
        exit 1
    }
    ;;
fix)
    # One pass is not always enough: a row of macros without semicolons is broken up one macro a pass.
    passes=10
    until on_all_files --dry-run -Werror 2>/dev/null; do
        [ "$passes" -gt 0 ] || {
            echo "check_format.sh: the files do not settle; see ci/check_format.sh" >&2
            exit 1
        }
        passes=$((passes - 1))
        on_all_files -i
    done
    ;;
*)
    echo "usage: ci/check_format.sh [fix]" >&2
    exit 2
    ;;
esac
echo "check_format.sh: all C files are formatted"
