#!/bin/sh
# The include direction, folder by folder, and that no files include each other in a circle.  A file here is a header with the
# sources of its name: x.h, x.c, x.cu.  Also: quoted includes are full paths from the root, a file's own header comes first, and
# linear algebra, Vulkan, CUDA and operating-system headers stay where they belong.  Shaders include shaders and backend/exact*.h.
# Usage: ci/check_includes.sh [DIRECTORY]      DIRECTORY: another tree than this one
set -eu
cd "${1:-$(dirname "$0")/..}"

find platform backend shaders model optim tracker train library cli tests -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.comp' \
    -o -name '*.glsl' | sort | xargs awk '
# The folder of a file that has a row in the table: the longest.
function layer(path,    name) {
    if (path ~ /^backend\/exact(_constants)?\.h$/) return "backend/exact.h"
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
    row("backend/cuda", may["backend"] " backend/cuda/ops")
    row("backend/cuda/ops", may["backend"] " backend/cuda backend/cpu")
    row("backend/cases", may["backend"])
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
    row("tests", may["cli"] " backend/cases backend/cpu backend/vulkan backend/cuda backend/cuda/ops")
    # On their way out: the trainer reads the configuration and measures peaks.
    may["train"] = may["train"] "cli/config cli/bench "
    # Folders that are to be redrawn.
    split("backend backend/ir backend/vulkan backend/cuda tests model/checkpoint model/data cli/bench", names, " ")
    for (i in names) circles_allowed[names[i]] = 1
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
    else if (stem(path) != stem(FILENAME) && !(layer(path) in circles_allowed)) includes[stem(FILENAME)] = includes[stem(FILENAME)] " " stem(path)
    if (n_includes == 1 && own != "" && path != own) report("the first include must be \"" own "\"")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    path = angled[2]
    n_includes++
    if (n_includes == 1 && own != "") report("the first include must be \"" own "\"")
    if (path ~ /^(cblas|lapacke|omp)[a-z_]*\.h$/ && FILENAME !~ /^(backend\/cpu|tracker|tests|cli\/bench)\//)
        report("<" path "> belongs in backend/cpu, tracker and cli/bench")
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
