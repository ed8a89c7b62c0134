#!/bin/sh
# What must not be in the repository: large files, paths of one machine, unfinished code, conflicts, broken comments, long files without a
# reason, long lists of parameters, links of pages that lead nowhere, two versions.
# Usage: ci/check_tree.sh
set -eu
cd "$(dirname "$0")/.."

list=$(mktemp)
found=$(mktemp)
trap 'rm -f "$list" "$found"' EXIT INT TERM
# Files that git tracks or would track; a clone may belong to another user.
git -c safe.directory="$(pwd)" ls-files --cached --others --exclude-standard >"$list"
[ -s "$list" ] || {
    echo "check_tree.sh: git lists no file" >&2
    exit 1
}

# complain WHY: each line of stdin is a fault.
complain() {
    sed "s|\$|  <- $1|" >>"$found"
}

while read -r file; do
    [ -f "$file" ] || continue # removed, not committed yet
    if [ "$(wc -c <"$file")" -gt 1048576 ]; then echo "$file" | complain "larger than 1 MiB"; fi
done <"$list"

# This file names what it looks for.
texts=$(grep -v '^ci/check_tree\.sh$' "$list")
echo "$texts" | xargs grep -InE '(^|[^A-Za-z0-9_.*)-])/(work|root)(/|$|[^A-Za-z0-9_])' -- 2>/dev/null | complain "path of one machine" || true
echo "$texts" | xargs grep -InwE 'TODO|FIXME|XXX' -- 2>/dev/null | complain "unfinished" || true
echo "$texts" | xargs grep -InE '^(<<<<<<<|>>>>>>>) ' -- 2>/dev/null | complain "a conflict that is not resolved" || true
echo "$texts" | xargs grep -IniwE 'not (yet )?implemented|stubs?' -- 2>/dev/null | complain "unfinished" || true
echo "$texts" | xargs grep -InE '^[ 	]*#[ 	]*if[ 	]+0([^-9x.]|$)' -- 2>/dev/null | complain "dead code" || true

# What clang-format leaves behind when a comment is a word too long, and comments that say nothing.
sources=$(grep -E '\.(c|h|cu|cuh|cpp|glsl|comp|def)$' "$list")
echo "$sources" | xargs grep -InE '^[ 	]*(\*/|\* [^*]*\*/)[ 	]*$' -- 2>/dev/null | complain "the end of a comment: move a word down" || true
echo "$sources" | xargs grep -InE '/\*[ 	]*\*/' -- 2>/dev/null | complain "empty comment" || true

# parameters MOST FILE...: functions that are declared or defined in the files with more than MOST parameters.  A declaration starts in
# the first column, as .clang-format has it; a pointer to a function starts anywhere.
parameters() {
    most=$1
    shift
    awk -v most="$most" '
        function check(text,   n, depth, i, c) {
            gsub(/"[^"]*"/, "", text)
            while (gsub(/<[^<>()]*>/, "", text)) { }
            n = 1
            for (i = 1; i <= length(text); i++) {
                c = substr(text, i, 1)
                if (c == "(") depth++
                if (c == ")") depth--
                if (c == "," && depth == 1) n++
            }
            if (n > most) print at ": " n " parameters"
        }
        FNR == 1 { open = 0; pending = "" }
        { gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, ""); sub(/\/\/.*/, ""); gsub(/__launch_bounds__\([^)]*\)/, "") }
        open == 0 && /^[A-Za-z_]/ && !/^(START_TEST|typedef struct|struct|enum|else|using|namespace|template <.*>$)/ {
            if (match($0, /MS_(KERNEL|WORKSPACE)\([a-z_]+\)\(/)) start = RSTART + RLENGTH - 1
            else if (match($0, /[A-Za-z_0-9]\(/)) start = RSTART + 1
            else next
            if (substr($0, 1, start) ~ /=/) next
            open = 1; text = substr($0, start); at = FILENAME ":" FNR; depth = 0; scan = text
        }
        open == 0 && /\(\*[A-Za-z_]+\)\(/ {
            match($0, /\(\*[A-Za-z_]+\)\(/)
            open = 1; text = substr($0, RSTART + RLENGTH - 1); at = FILENAME ":" FNR; scan = text; depth = 0
        }
        open == 1 {
            if (scan == "") { scan = $0; text = text " " $0 }
            done = 0
            for (i = 1; i <= length(scan); i++) {
                c = substr(scan, i, 1)
                if (c == "(") depth++
                if (c == ")" && --depth == 0) { done = 1; break }
            }
            if (done) { check(substr(text, 1, length(text) - length(scan) + i)); open = 0 }
            scan = ""
        }' "$@"
}

# At most 6: more are a struct.  CUDA kernels, and the device functions that are inlined into them, take up to 8: their arguments live
# in registers, and a struct would only rename them.  What stands in for an API of others has its form.
c_files=$(grep -E '\.(c|h|cpp)$' "$list" | grep -vE '^tests/(cuda_host/api_cublas|vulkan/queues_layer)|^cli/watch/microhttpd')
cuda_files=$(grep -E '\.(cu|cuh)$' "$list")
{
    parameters 6 $c_files
    parameters 8 $cuda_files
} | complain "more than may be: take a struct"
# A file opened, made or removed elsewhere would go through links and wait for pipes.  A corpus may be a pipe.
# The module of MPI, which links nothing of ours, makes the MPI that it has found known to the process.
calls='fopen|freopen|open|openat|creat|opendir|mkdir|mkdirat|unlink|unlinkat|remove|rmdir|rename|renameat|symlink|dlopen|popen|system'
echo "$sources" | grep -E '^(backend|model|optim|tracker|train|library|cli)/.*\.(c|h|cu)$' |
    xargs grep -InE "(^|[^A-Za-z0-9_>.\"])($calls)\([^0-9)]" -- 2>/dev/null |
    grep -vE '^model/data/corpus[a-z_]*\.c:|^train/parallel/mpi/.*RTLD_NOLOAD|fopen\("/proc/' | complain "belongs in platform: file, directory, library, process" || true

# ci/long_files.txt: "path  reason" for C files and shaders of more than 600 lines.
excused() {
    grep -v '^#' ci/long_files.txt | awk -v path="$1" '$1 == path && NF > 1 { found = 1 } END { exit !found }'
}
for file in $(grep -E '\.(c|h|comp|glsl)$' "$list"); do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 600 ] && ! excused "$file"; then
        echo "$file: $lines lines" | complain "over 600 without a reason in ci/long_files.txt"
    fi
    if [ "$lines" -le 600 ] && excused "$file"; then
        echo "$file: $lines lines" | complain "needs no entry in ci/long_files.txt"
    fi
done
for file in $(awk '!/^#/ { print $1 }' ci/long_files.txt); do
    [ -f "$file" ] || echo "$file" | complain "in ci/long_files.txt, but does not exist"
done

# [text](path) in a page is relative to it; what has a scheme or is a place in the page itself is not looked at.
for file in $(grep -E '\.md$' "$list"); do
    [ -f "$file" ] || continue
    grep -noE '\]\([^)# ]+' "$file" | sed 's/\](//' | while IFS=: read -r line path; do
        case $path in *:*) continue ;; esac
        [ -e "$(dirname "$file")/$path" ] || echo "$file:$line: $path" | complain "leads nowhere"
    done
done
version=$(sed -nE 's/^project\(muonscope VERSION ([0-9.]+) .*/\1/p' CMakeLists.txt)
grep -qx "version: $version" CITATION.cff || echo "CITATION.cff" | complain "has another version than CMakeLists.txt, $version"

if [ -s "$found" ]; then
    cat "$found"
    echo "check_tree.sh: $(wc -l <"$found") errors"
    exit 1
fi
echo "check_tree.sh: $(wc -l <"$list") files, nothing that does not belong"
