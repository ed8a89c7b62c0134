#!/bin/sh
# The include direction, folder by folder, and that no files include each other in a circle.  A file here is a header with the
# sources of its name: x.h, x.c, x.cu.  All files that git tracks or would track are checked, but those that no compiler reads; each
# folder has a row in the table.  Also: an include has a line of its own and one form, our files are quoted as full paths from the
# root, a file's own header comes first, and linear algebra, Vulkan, CUDA and operating-system headers stay where they belong.
# Shaders include shaders, and backend/exact*.h and backend/formulas.h, which stand for one folder here.
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
plant() {
    mkdir -p "$(dirname "$work/tree/$1")"
    printf '%s\n' "$2" >>"$work/tree/$1"
}

self_test() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/clean"
    (cd "$work/clean" && mkdir -p platform backend/vulkan backend/cuda/ops shaders model cli && git init -q --template=)
    echo '#include <stddef.h>' >"$work/clean/cli/commands.h"
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
    expect 'model/model.c:2: "clock.h" is not the path of a source file from the root'
    for path in studies/zz.c backend/opencl/zz.c cli/zz/zz.c tests/zz/zz.cpp zz.c; do
        plant $path '#include "cli/commands.h"'
        expect "$path: no row for its folder"
    done
    for suffix in cpp hpp cc inc def cuh cu glsl comp inl; do
        plant platform/zz.$suffix '#include "cli/commands.h"'
        expect "platform/zz.$suffix:1: platform must not include \"cli/commands.h\""
    done
    plant tests/cuda_host/zz.cpp '#include "model/data/zz.txt"'
    expect 'tests/cuda_host/zz.cpp:1: "model/data/zz.txt" is not the path of a source file'
    for path in ./cli/commands.h platform/../cli/commands.h cli//commands.h ../cli/commands.h; do
        plant platform/clock.c "#include \"$path\""
        expect "platform/clock.c:2: \"$path\" is not the path of a source file"
        plant platform/clock.c "#include <$path>"
        expect "platform/clock.c:2: <$path> must not have"
    done
    plant platform/clock.c '#include <cli/commands.h>'
    expect 'platform/clock.c:2: <cli/commands.h> is a file of ours: write "cli/commands.h"'
    for line in '#include COMMANDS' '/**/ #include "cli/commands.h"' '*/ #include "cli/commands.h"' '#/**/include "cli/commands.h"' \
        '#import "cli/commands.h"' '#include_next <stdio.h>' '#embed "cli/commands.h"' '%:include "cli/commands.h"' \
        '??=include "cli/commands.h"' ' # include "cli/commands.h"' '#include "cli/commands.h" /* */' '#include/**/"cli/commands.h"' \
        '#inc\' '#' '# /*'; do
        plant platform/clock.c "$line"
        expect 'platform/clock.c:2: not #include "path/from/root" or #include <header> on a line of its own'
    done
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

# What git tracks or would track, but names without a suffix and those that no compiler reads; a clone may belong to another user.
files=$(git -c safe.directory="$(pwd)" ls-files --cached --others --exclude-standard | sort -u |
    grep -vE '(^|/)\.?[^./]*$|\.(md|sh|py|txt|json|yaml|cmake|in|safetensors|png|svg|cff|html|css|js|toml|typed)$' |
    while read -r file; do [ ! -f "$file" ] || echo "$file"; done) # else removed, not committed yet
[ -n "$files" ] || {
    echo "check_includes.sh: no source file in $(pwd): nothing was checked" >&2
    exit 1
}
echo "$files" | xargs awk '
# The row of a file in the table: its folder.
function layer(path) {
    if (path ~ /^backend\/(exact|exact_constants|formulas)\.h$/) return "backend/exact.h"
    return sub(/\/[^\/]*$/, "", path) ? path : "."
}
function report(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    n_errors++
}
# What stands for a file in circles.  C++ sources (tests/cuda_host) stand for themselves: parts of one emulation call each other.
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
    row("model/foreign", "platform model/checkpoint")
    row("model", may["backend"])
    row("model/hf", may["backend"] " model model/checkpoint model/foreign tracker")
    row("optim", may["backend"])
    row("tracker", "platform")
    row("tracker/plot", "platform")
    row("tracker/compare", "platform tracker tracker/plot")
    row("train/parallel", "platform train/parallel/mpi")
    row("train/parallel/mpi", "train/parallel")
    row("train", may["backend"] " model model/data model/checkpoint optim tracker train/parallel")
    row("library", "platform tracker model/checkpoint model/foreign")
    row("cli/options", "platform")
    row("cli/config", may["train"] " cli/options model/hf")
    row("cli/verify", may["cli/config"] " backend/cases")
    row("cli/bench", may["cli/config"] " backend/cpu")
    row("cli/compare", may["cli/config"] " tracker/compare")
    row("cli/export", may["cli/config"] " model/hf tracker/compare tracker/plot library")
    row("cli/report", may["cli/config"] " tracker/compare")
    row("cli/watch", may["cli/config"] " cli/report")
    row("cli/analyze", "platform model/checkpoint model/foreign tracker")
    row("cli/study", may["cli/compare"] " cli/compare")
    row("cli", may["cli/config"] " model/foreign model/hf tracker/plot tracker/compare library cli/verify cli/bench cli/compare cli/analyze cli/export cli/report cli/study cli/watch")
    row("examples", may["train"] " library")
    # Tests include each other.
    n = split("backend cli cuda_device cuda_host cuda_module fuzz golden ir model mpi ops optim platform support tracker train vulkan", names, " ")
    for (i = 1; i <= n; i++) tests = tests " tests/" names[i]
    for (i = 1; i <= n; i++)
        row("tests/" names[i], may["cli"] tests " backend/cases backend/cpu backend/vulkan backend/cuda backend/cuda/ops")
    for (i = 1; i < ARGC; i++) {
        is_source[ARGV[i]] = 1
        if (layer(ARGV[i]) in may) continue
        printf "%s: no row for its folder %s in the table of ci/check_includes.sh\n", ARGV[i], layer(ARGV[i])
        n_errors++
    }
}
FNR == 1 {
    n_includes = 0
    here = layer(FILENAME)
    own = FILENAME
    own = sub(/\.(c|cpp)$/, ".h", own) && own in is_source ? own : ""
}
!(here in may) { next }
# All that could be an include, also behind comments or in two lines, but has not the one form.
/#|%:|\?\?=/ && !/^#include (<[^<>"]+>|"[^<>"]+")$/ {
    text = $0
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", text)
    sub(/^.*\*\//, "", text)
    if (text ~ /^[[:space:]]*(#|%:|\?\?=)[[:space:]]*(include|import|embed|[a-z_]*\\$|(\/\*.*)?$)/)
        report("not #include \"path/from/root\" or #include <header> on a line of its own")
    next
}
/^#include "/ {
    split($0, quoted, "\"")
    path = quoted[2]
    n_includes++
    # Made by shaders/CMakeLists.txt.
    if (path ~ /^shader_(headers\.h|table\.def)$/ && here == "backend/vulkan") next
    if (!(path in is_source)) report("\"" path "\" is not the path of a source file from the root")
    else if (index(may[here], " " layer(path) " ") == 0) report(here " must not include \"" path "\"")
    else if (stem(path) != stem(FILENAME)) includes[stem(FILENAME)] = includes[stem(FILENAME)] " " stem(path)
    if (n_includes == 1 && own != "" && path != own) report("the first include must be \"" own "\"")
}
/^#include </ {
    split($0, angled, /[<>]/)
    path = angled[2]
    n_includes++
    if (n_includes == 1 && own != "") report("the first include must be \"" own "\"")
    if (path ~ /(^|\/)(\.\.?)?(\/|$)/) report("<" path "> must not have an empty part, \".\" or \"..\"")
    if (path in is_source) report("<" path "> is a file of ours: write \"" path "\"")
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
