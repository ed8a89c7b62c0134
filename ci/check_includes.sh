#!/bin/sh
# The include direction: platform <- backend/ir <- backend <- model, optim, tracker <- cli.  Also: quoted includes are full paths
# from the root, a file's own header comes first, and linear algebra, Vulkan and operating-system headers stay where they belong.
# Shaders include shaders and backend/exact.h.
# Usage: ci/check_includes.sh
set -eu
cd "$(dirname "$0")/.."

find platform backend shaders model optim tracker cli tests -name '*.[ch]' -o -name '*.comp' -o -name '*.glsl' | sort | xargs awk '
function layer(path) {
    if (path ~ /^platform\//) return "platform"
    if (path ~ /^backend\/ir\//) return "ir"
    if (path == "backend/exact.h") return "exact"
    if (path ~ /^backend\//) return "backend"
    split(path, parts, "/")
    return parts[1]
}
function report(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    n_errors++
}
function readable(path,    line, found) {
    found = (getline line < path) >= 0
    close(path)
    return found
}
BEGIN {
    may["platform"] = " platform "
    may["ir"] = " platform ir "
    may["backend"] = " platform ir exact backend "
    may["exact"] = " "
    may["shaders"] = " shaders exact "
    may["model"] = " platform ir exact backend model "
    may["optim"] = " platform ir exact backend optim "
    may["tracker"] = " platform ir exact backend tracker "
    may["cli"] = " platform ir exact backend model optim tracker cli "
    may["tests"] = " platform ir exact backend model optim tracker cli tests "
}
FNR == 1 {
    n_includes = 0
    here = layer(FILENAME)
    own = FILENAME
    own = sub(/\.c$/, ".h", own) && readable(own) ? own : ""
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    n_includes++
    # Made by shaders/CMakeLists.txt.
    if (path ~ /^shader_(headers\.h|table\.def)$/ && FILENAME ~ /^backend\/vulkan\//) next
    if (!readable(path)) report("\"" path "\" is not a path from the root")
    else if (index(may[here], " " layer(path) " ") == 0) report(here " must not include \"" path "\"")
    if (path ~ /^backend\/vulkan\// && FILENAME !~ /^(backend|tests)\/vulkan\//)
        report("\"" path "\" belongs to backend/vulkan: use backend/backend.h")
    if (n_includes == 1 && own != "" && path != own) report("the first include must be \"" own "\"")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    path = angled[2]
    n_includes++
    if (n_includes == 1 && own != "") report("the first include must be \"" own "\"")
    if (path ~ /^(cblas|lapacke|omp)[a-z_]*\.h$/ && FILENAME !~ /^(backend\/cpu|tracker|tests)\// && FILENAME !~ /^cli\/(cmd_)?bench/)
        report("<" path "> belongs in backend/cpu, tracker and cli/bench*")
    if (path ~ /^(vulkan\/|volk\.h)/ && FILENAME !~ /^(backend|tests)\/vulkan\//)
        report("<" path "> belongs in backend/vulkan")
    if (path ~ /^(sys\/|(unistd|fcntl|dirent|pthread|sched|signal|poll|termios|dlfcn|semaphore)\.h)/ &&
        FILENAME !~ /^(platform|backend\/(cpu|vulkan)|tracker|cli|tests)\//)
        report("<" path "> belongs in platform, backend/cpu, backend/vulkan, tracker and cli")
}
END {
    if (n_errors) {
        printf "check_includes.sh: %d errors\n", n_errors
        exit 1
    }
    print "check_includes.sh: include direction is kept"
}'
