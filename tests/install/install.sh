#!/bin/bash
# Installs into an empty prefix and uses what is there as a user would: run paths, exported names, headers, both examples, the
# manual page and the completion; all again after the prefix has moved.
# Usage, from the root: install.sh BUILD CMAKE LIBDIR      LIBDIR: of the prefix, e.g. lib; compilers: CC and CXX
set -eu
build=$1
cmake=$2
libdir=$3
work=$(mktemp -d /tmp/ms_install_XXXXXX)
trap 'rm -rf "$work"' EXIT
unset LD_LIBRARY_PATH
export HOME=$work VK_DRIVER_FILES=/dev/null
flags="-Wall -Wextra -Wpedantic -Werror"
python=/usr/bin/python3 # Debian's, for which its python3-numpy is

fail() {
    echo "install.sh: $1" >&2
    exit 1
}
# expect WHAT WANTED FOUND
expect() {
    [ "$2" = "$3" ] || fail "$1: '$3', not '$2'"
}

"$python" -c 'import numpy' 2>/dev/null || fail "Debian's python3-numpy is needed (ci/setup.sh tests)"
"$cmake" --install "$build" --prefix "$work/first" >"$work/log" || fail "$(cat "$work/log")"
prefix=$work/first

echo "-- run paths, needed libraries, names"
for file in $(find "$prefix" -type f -name '*.so*') "$prefix/bin/muonscope"; do
    readelf -d "$file" | sed -n 's/.*(R[UN]*PATH).*\[\(.*\)\]/:\1:/p' >"$work/paths"
    ! grep :: "$work/paths" || fail "$file: an empty entry in its run path"
    ! tr : '\n' <"$work/paths" | grep -v '^$' | grep -v '^$ORIGIN/' || fail "$file: a run path of the build machine"
done
library=$prefix/$libdir/libmuonscope.so.0
for file in "$prefix/bin/muonscope" $(find "$prefix/$libdir" -path '*/muonscope/*.so' ! -name muonscope-mpi.so); do # that needs nothing of ours
    readelf -d "$file" | grep -q 'NEEDED.*\[libmuonscope.so.0\]' || fail "$file does not need libmuonscope.so.0"
    n=$(nm -D --defined-only "$file" | grep -c ' [TDBR] ms_' || true)
    case $file in
    */bin/*) expect "names of the library that $file has too" 0 "$n" ;;
    esac
done
expect "name of the library" "[libmuonscope.so.0]" "$(readelf -d "$library" | sed -n 's/.*SONAME.*\(\[.*\]\)/\1/p')"
others=$(nm -D --defined-only "$library" | awk '$2 != "A" && $3 !~ /^ms_/ { print $3 }')
[ -z "$others" ] || fail "the library exports more than ms_*: $others"
nm -D --defined-only "$library" | grep -q ' T ms_trainer_open' || fail "the library does not export ms_trainer_open"

(cd "$prefix/include/muonscope" && find . -name '*.h' | sed 's|^\./\(.*\)|#include "\1"|') >"$work/all.h"
# exported NODE: names of that version node.  MUONSCOPE_N: what installed headers declare; all else is for the program and the module.
exported() { nm -D --defined-only "$library" | sed -n "s/.* [TDBR] \(ms_[a-z0-9_]*\)@@$1_[0-9]*\$/\1/p" | LC_ALL=C sort; }
$CC -E -P -I"$prefix/include/muonscope" -x c "$work/all.h" | grep -oE '\bms_[a-z0-9_]+' | LC_ALL=C sort -u >"$work/declared"
exported MUONSCOPE >"$work/public"
exported MUONSCOPE_PRIVATE >"$work/private"
[ "$(wc -l <"$work/public")" -ge 200 ] || fail "only $(wc -l <"$work/public") names are exported"
others=$(LC_ALL=C comm -23 "$work/public" "$work/declared")
[ -z "$others" ] || fail "exported, but in no installed header: $others"
others=$(LC_ALL=C comm -12 "$work/private" "$work/declared")
[ -z "$others" ] || fail "in an installed header, but not for users: $others"
expect "names of the library" "$(nm -D --defined-only "$library" | grep -c ' [TDBR] ms_')" "$(cat "$work/public" "$work/private" | wc -l)"
! grep -qE "^ms_(vulkan|cpu_exact|cpu_fast)_" "$work/public" "$work/private" || fail "the library exports what only it uses"

echo "-- headers, in C and C++"
[ "$(wc -l <"$work/all.h")" -ge 20 ] || fail "only $(wc -l <"$work/all.h") headers are installed"
for header in $(grep -rLE '__cplusplus' --include='*.h' "$prefix/include"); do
    ! grep -E '^[a-z].*[ *]ms_[a-z0-9_]+\(' "$header" || fail "$header declares functions and has no guard for C++"
done
for folder in cpu vulkan cuda; do
    [ ! -e "$prefix/include/muonscope/backend/$folder" ] || fail "headers of backend/$folder are installed"
done
use='int main(void) { ms_device_options options = {0}; ms_device *device; options.name = "none";
    return ms_device_open(&options, &device) == MS_NOT_FOUND ? 0 : 1; }'
cp "$work/all.h" "$work/use.c"
echo "${use//=\ \{0\}/= {\"\", MS_NUMERICS_EXACT, 0\}}" >>"$work/use.c"
cp "$work/use.c" "$work/use.cpp"
link="-L$prefix/$libdir -lmuonscope -Wl,-rpath,$prefix/$libdir"
$CC -std=c11 $flags -I"$prefix/include/muonscope" "$work/use.c" $link -o "$work/use_c" && "$work/use_c" || fail "C cannot use it"
$CXX -std=c++17 $flags -I"$prefix/include/muonscope" "$work/use.cpp" $link -o "$work/use_cpp" && "$work/use_cpp" || fail "C++ cannot use it"

# use_tree PREFIX: the program and both examples, with and without a run path.
use_tree() {
    local found=$1/$libdir weights
    "$1/bin/muonscope" devices | grep -q '^cpu  *usable' || fail "$1: muonscope devices"
    (cd "$work" && "$1/bin/muonscope" train --preset micro --numerics exact --steps 5 --run run >out 2>&1) || fail "$1: $(cat "$work/out")"
    weights=$(sed -n 's/^weights_sha256 *//p' "$work/out")
    rm -rf "$work/run"
    [ ${#weights} -eq 64 ] || fail "$1: train prints no hash of the weights"

    PKG_CONFIG_PATH=$found/pkgconfig pkg-config --cflags --libs muonscope >"$work/pc" || fail "$1: pkg-config"
    $CC -std=c11 $flags examples/train_micro.c $(cat "$work/pc") -o "$work/by_pkg_config"
    LD_LIBRARY_PATH=$found "$work/by_pkg_config" 5 >"$work/out" || fail "$1: the example, built with pkg-config"
    expect "$1: weights of the example" "weights_sha256 $weights" "$(tail -1 "$work/out")"
    for steps in abc -5 0 5x 1000001 99999999999999999999 ""; do
        set +e
        LD_LIBRARY_PATH=$found "$work/by_pkg_config" "$steps" >"$work/out2" 2>&1
        expect "$1: exit status of the example with \"$steps\"" 2 $?
        set -e
        expect "$1: the example" "train_micro: STEPS is \"$steps\", must be a whole number, 1 to 1000000" "$(cat "$work/out2")"
    done
    expect "$1: rows of spectra" 24 "$(grep -c 'stable rank' "$work/out")"

    rm -rf "$work/example"
    "$cmake" -G "$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")" -S examples -B "$work/example" -DCMAKE_PREFIX_PATH="$1" -DCMAKE_C_COMPILER="$CC" >"$work/log" 2>&1 &&
        "$cmake" --build "$work/example" >>"$work/log" 2>&1 || fail "$1: the CMake package: $(tail -20 "$work/log")"
    "$work/example/train_micro" 5 | tail -1 >"$work/out"
    expect "$1: weights of the example, built with CMake" "weights_sha256 $weights" "$(cat "$work/out")"

    "$python" examples/spectra.py --library "$found/libmuonscope.so.0" >"$work/out" || fail "$1: spectra.py"
    # The largest of the 96 singular values of a 96 x 160 matrix of standard normals is about sqrt(96) + sqrt(160) = 22.4.
    awk '/^sigma_max/ { ok = $2 > 21 && $2 < 24 } /^farthest/ { close_to = $NF < 1e-12 } END { exit !(ok && close_to) }' "$work/out" ||
        fail "$1: spectra.py prints: $(cat "$work/out")"
    "$python" -c 'import sys, numpy as np; np.save(sys.argv[1], np.ones(7)); np.save(sys.argv[2], np.full((2, 3), np.nan))' \
        "$work/row.npy" "$work/nan.npy"
    ! "$python" examples/spectra.py --library "$found/libmuonscope.so.0" "$work/row.npy" >"$work/out" 2>&1 || fail "$1: spectra.py takes 1 dimension"
    expect "$1: spectra.py" "spectra.py: $work/row.npy: a matrix has 2 dimensions, this array has 1: (7,)" "$(cat "$work/out")"
    ! "$python" examples/spectra.py --library "$found/libmuonscope.so.0" "$work/nan.npy" >"$work/out" 2>&1 || fail "$1: spectra.py takes NaN"
    expect "$1: spectra.py" "spectra.py: $work/nan.npy: spectrum of a matrix [2, 3]: element (0, 0) is nan" "$(cat "$work/out")"
}
echo "-- program and examples"
use_tree "$work/first"
echo "-- after a move"
mkdir "$work/other"
mv "$work/first" "$work/other/place"
prefix=$work/other/place
use_tree "$prefix"

echo "-- manual page"
page=$prefix/share/man/man1/muonscope.1
"$prefix/bin/muonscope" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' >"$work/subcommands"
[ "$(wc -l <"$work/subcommands")" -ge 8 ] || fail "--help lists $(wc -l <"$work/subcommands") subcommands"
while read -r name; do
    grep -q "^.SS muonscope $name" "$page" || fail "the manual page has no section for $name"
done <"$work/subcommands"
for name in $("$prefix/bin/muonscope" train --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | grep -v '^help$') muon.lr; do
    grep -q "^.fB\\\\-\\\\-${name//-/\\\\-}" "$page" || fail "the manual page has no --$name"
done
grep -q 'MUONSCOPE_CUDA_MODULE' "$page" || fail "the manual page lacks the variables"
if command -v man >/dev/null; then
    warnings=$(MANWIDTH=100 man --warnings -l "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || fail "man: $warnings"
fi

echo "-- completion"
source "$prefix/share/bash-completion/completions/muonscope"
complete -p muonscope >/dev/null || fail "muonscope has no completion"
# completes WANTED WORDS...: the words of a command line, of which the last one is completed.
completes() {
    local wanted=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _muonscope || true # of compgen: no word fits
    expect "completion of '$*'" "$wanted" "${COMPREPLY[*]}"
}
completes "train tracker" muonscope tra
completes "train encode decode" muonscope tokenizer ""
completes "--tokenizer --text" muonscope tokenizer encode --t
completes --without_adamw muonscope bench train --wi
completes micro muonscope train --preset mic
completes nano muonscope train --preset = n
completes --muon.momentum muonscope train --muon.mo
completes "true false" muonscope train --muon.nesterov ""
completes "fast exact" muonscope train --numerics ""
completes exact muonscope train --numerics = e
completes adamw muonscope train --optimizer a
completes "true false" muonscope train --track_manifold ""
completes "exact fast both" muonscope verify --numerics ""
completes "fast exact" muonscope bench ops --numerics ""
completes "auto text jsonl llmc npy uint16 uint32 ids" muonscope data prepare --format ""
completes "chunk blank file" muonscope data prepare --documents ""
completes "" muonscope train --steps ""
completes "" muonscope train --config ""
echo "install.sh: the installed tree can be used"
