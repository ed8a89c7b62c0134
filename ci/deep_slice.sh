#!/bin/sh
# Prints the rows of ci/deep_tests.txt that belong to slice K of N.  Rows are dealt out by their seconds, the longest first, each to the
# slice that has the least; rows of a build of their own stay together, and bring the seconds of that build.
# Usage: ci/deep_slice.sh K N      K from 0 to N - 1
set -eu
cd "$(dirname "$0")/.."
usage() {
    echo "usage: ci/deep_slice.sh K N      whole numbers, K from 0 to N - 1" >&2
    exit 2
}
[ $# -eq 2 ] || usage
case "$1$2" in
*[!0-9]* | ?????????*) usage ;;
esac
[ -n "$1" ] && [ -n "$2" ] && [ "$1" -lt "$2" ] || usage
# unit<TAB>seconds of the unit<TAB>row
awk '
/^#/ || NF == 0 { next }
NF < 4 || $3 !~ /^[0-9]+$/ {
    printf "deep_slice.sh: ci/deep_tests.txt:%d: must be: build, name, seconds, what it covers\n", FNR >"/dev/stderr"
    bad = 1
    exit 1
}
{
    unit = $1 == "release" ? $1 " " $2 : $1
    if (unit in seconds) rows[unit] = rows[unit] "\n" $0
    else {
        order[n++] = unit
        rows[unit] = $0
    }
    seconds[unit] += $3
}
END {
    if (bad) exit 1
    for (i = 0; i < n; i++) {
        m = split(rows[order[i]], lines, "\n")
        for (j = 1; j <= m; j++) printf "%d\t%s\t%s\n", seconds[order[i]], order[i], lines[j]
    }
}' ci/deep_tests.txt | sort -t '	' -k1,1nr -k2,2 -s | awk -F '\t' -v slice="$1" -v n_slices="$2" '
$2 != unit {
    unit = $2
    least = 0
    for (k = 1; k < n_slices + 0; k++) if (load[k] + 0 < load[least] + 0) least = k
    load[least] += $1
}
least == slice + 0 { print $3 }'
