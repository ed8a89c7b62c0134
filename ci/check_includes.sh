#!/bin/sh
# The include direction, folder by folder, and that no files include each other in a circle.  A file here is a header with the
# sources of its name: x.h, x.c, x.cu.  Also: quoted includes are full paths from the root, a file's own header comes first, and
# linear algebra, Vulkan, CUDA and operating-system headers stay where they belong.  Shaders include shaders, and backend/exact*.h and
# backend/formulas.h, which stand for one folder here.
# Usage: ci/check_includes.sh [DIRECTORY]      DIRECTORY: another tree than this one
#        ci/check_includes.sh self-test        what is planted in a small tree must be found
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# expect TEXT: the check of the small tree fails with one error, which has TEXT in it; "": it passes.  Then nothing is planted any more.
expect() {
    "$here/check_includes.sh" "$work/tree" >"$work/out" 2>&1 && passed=yes || passed=no
    if [ -z "$1" ]; then
        [ $passed = yes ] || unexpected "no error"
    else
        [ $passed = no ] && grep -q -F "$1" "$work/out" && grep -q ": 1 errors" "$work/out" || unexpected "one error, $1"
    fi
    rm -rf "$work/tree"
    cp -r "$work/clean" "$work/tree"
}

unexpected() {
    echo "check_includes.sh self-test: expected $1:"
    cat "$work/out"
    exit 1
}

# plant PATH TEXT: adds a line to a file of the small tree.
plant() { echo "$2" >>"$work/tree/$1"; }

self_test() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/clean"
    (cd "$work/clean" && mkdir -p platform backend/vulkan backend/cuda/ops shaders model optim tracker train cli tests)
    echo '#include <stddef.h>' | tee "$work/clean/platform/clock.h" "$work/clean/backend/vulkan/vulkan_memory.h" >/dev/null
    echo '#include "platform/clock.h"' >"$work/clean/platform/clock.c"
    echo '#include "backend/vulkan/vulkan_memory.h"' |
        tee "$work/clean/backend/vulkan/vulkan_memory.c" "$work/clean/backend/vulkan/vulkan_queue.h" >/dev/null
    echo '#include "backend/vulkan/vulkan_queue.h"' >"$work/clean/backend/vulkan/vulkan_queue.c"
    echo '#include "platform/clock.h"' | tee "$work/clean/model/model.c" "$work/clean/backend/cuda/ops/norm.cuh" >/dev/null
    cp -r "$work/clean" "$work/tree"
    expect ""
    plant platform/clock.c '#include "backend/vulkan/vulkan_queue.h"'
    expect 'platform/clock.c:2: platform must not include "backend/vulkan/vulkan_queue.h"'
    plant model/model.c '#include "backend/vulkan/vulkan_memory.h"'
    expect 'model/model.c:2: model must not include "backend/vulkan/vulkan_memory.h"'
    plant backend/cuda/probe.cu '#include "backend/cuda/ops/norm.cuh"'
    expect 'backend/cuda/probe.cu:1: backend/cuda must not include "backend/cuda/ops/norm.cuh"'
    plant model/model.c '#include "clock.h"'
    expect 'model/model.c:2: "clock.h" is not a path from the root'
    # Through a source: no header includes another in a circle.
    plant backend/vulkan/vulkan_memory.c '#include "backend/vulkan/vulkan_queue.h"'
    expect 'a circle: backend/vulkan/vulkan_'
    plant backend/vulkan/vulkan_memory.h '#include "backend/vulkan/vulkan_queue.h"'
    expect 'a circle: backend/vulkan/vulkan_'
    echo '#include <stddef.h>' >"$work/tree/platform/clock.c"
    expect 'platform/clock.c:1: the first include must be "platform/clock.h"'
    plant model/model.c '#include <volk.h>'
    expect 'model/model.c:2: <volk.h> belongs in backend/vulkan'
    mkdir "$work/empty"
    if "$here/check_includes.sh" "$work/empty" >"$work/out" 2>&1 || ! grep -q 'nothing was checked' "$work/out"; then
        unexpected "that an empty tree is refused"
    fi
    echo "check_includes.sh self-test: what was planted was found"
}

if [ "${1:-}" = self-test ]; then
    self_test
    exit
fi
cd "${1:-$here/..}"

files=$(find platform backend shaders model optim tracker train library cli examples tests \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \
    -o -name '*.comp' -o -name '*.glsl' \) 2>/dev/null | sort)
[ -n "$files" ] || {
    echo "check_includes.sh: no source file in $(pwd): nothing was checked" >&2
    exit 1
}
echo "$files" | xargs awk '
# The folder of a file that has a row in the table: the longest.
function layer(path,    name) {
    if (path ~ /^backend\/(exact|exact_constants|formulas)\.h$/) return "backend/exact.h"
    name = path
    while (sub(/\/[^\/]*$/, "", name)) if (name in may) return name
    return ""
}
function report(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    n_errors++
}
function readable(path,    line, found) {
    if (path in is_readable) return is_readable[path]
    found = (getline line < path) >= 0
    close(path)
    return is_readable[path] = found
}
# What stands for a file in circles.
function stem(path) {
    sub(/\.(c|h|cu|cuh)$/, "", path)
    return path
}
# Looks for a way back to a file that is on the way: state 1 on the way, 2 done.
function walk(file,    i, n, to, next_files) {
    state[file] = 1
    way[++depth] = file
    n = split(includes[file], next_files, " ")
    for (i = 1; i <= n; i++) {
        to = next_files[i]
        if (state[to] == 1) {
            printf "a circle:"
            for (j = depth; way[j] != to; j--);
            for (; j <= depth; j++) printf " %s ->", way[j]
            printf " %s\n", to
            n_errors++
        } else if (!state[to]) walk(to)
    }
    depth--
    state[file] = 2
}
# FOLDER: what its files may include, besides each other.
function row(folder, others) { may[folder] = " " folder " " others " " }
BEGIN {
    row("platform", "")
    row("backend/ir", "platform")
    row("backend", "platform backend/ir backend/exact.h")
    row("backend/cpu", may["backend"])
    row("backend/vulkan", may["backend"])
    row("backend/vulkan/ops", may["backend/vulkan"] " backend/cpu")
    row("backend/cuda", may["backend"])
    row("backend/cuda/ops", may["backend"] " backend/cuda backend/cpu")
    row("backend/cases", may["backend"])
    row("backend/exact.h", "")
    row("shaders", "backend/exact.h")
    row("model/data", "platform")
    row("model/checkpoint", may["backend"])
    row("model", may["backend"])
    row("optim", may["backend"])
    row("tracker", "platform")
    row("tracker/plot", "platform")
    row("train", may["backend"] " model model/data model/checkpoint optim tracker")
    row("library", "")
    row("cli/options", "platform")
    row("cli/config", may["train"] " cli/options")
    row("cli/verify", may["cli/config"] " backend/cases")
    row("cli/bench", may["cli/config"] " backend/cpu")
    row("cli", may["cli/config"] " tracker/plot library cli/verify cli/bench")
    row("examples", may["train"] " library")
    row("tests", may["cli"] " backend/cases backend/cpu backend/vulkan backend/cuda backend/cuda/ops")
}
FNR == 1 {
    n_includes = 0
    here = layer(FILENAME)
    own = FILENAME
    own = sub(/\.c$/, ".h", own) && readable(own) ? own : ""
    if (here == "") report("no folder of the table in ci/check_includes.sh")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    n_includes++
    # Made by shaders/CMakeLists.txt.
    if (path ~ /^shader_(headers\.h|table\.def)$/ && here == "backend/vulkan") next
    if (!readable(path)) report("\"" path "\" is not a path from the root")
    else if (index(may[here], " " layer(path) " ") == 0) report(here " must not include \"" path "\"")
    else if (stem(path) != stem(FILENAME)) includes[stem(FILENAME)] = includes[stem(FILENAME)] " " stem(path)
    if (n_includes == 1 && own != "" && path != own) report("the first include must be \"" own "\"")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    path = angled[2]
    n_includes++
    if (n_includes == 1 && own != "") report("the first include must be \"" own "\"")
    if (path ~ /^(cblas|lapacke|omp)[a-z_]*\.h$/ && FILENAME !~ /^(platform|backend\/cpu|tracker|tests|cli\/bench)\//)
        report("<" path "> belongs in platform, backend/cpu, tracker and cli/bench")
    if (path ~ /^(vulkan\/|volk\.h)/ && FILENAME !~ /^(backend|tests)\/vulkan\//)
        report("<" path "> belongs in backend/vulkan")
    if (path ~ /^cu(da|blas)[A-Za-z_]*\.h$/ && FILENAME !~ /^(backend\/cuda|tests\/cuda_(host|module))\//)
        report("<" path "> belongs in backend/cuda")
    if (path ~ /^(sys\/|(unistd|fcntl|dirent|pthread|sched|signal|poll|termios|dlfcn|semaphore)\.h)/ &&
        FILENAME !~ /^(platform|backend\/(cpu|vulkan)|tracker|train|cli|tests)\//)
        report("<" path "> belongs in platform, backend/cpu, backend/vulkan, tracker, train and cli")
}
END {
    for (file in includes) if (!state[file]) walk(file)
    if (n_errors) {
        printf "check_includes.sh: %d errors\n", n_errors
        exit 1
    }
    print "check_includes.sh: include direction is kept, no circles"
}'
