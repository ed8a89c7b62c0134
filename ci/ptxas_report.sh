#!/bin/sh
# Registers, shared memory and spills of every CUDA kernel, as ptxas tells them while the module is built
# (backend/cuda/keep_ptxas_report.sh).  A kernel that spills, or that the page backend/cuda/ptxas.md shows otherwise, is an error.
# Usage: ci/ptxas_report.sh                    builds for all targets (build/ptxas) and writes the page
#        ci/ptxas_report.sh check BUILD        looks at the targets of a build that is there, e.g. build/release
#        ci/ptxas_report.sh self-test BUILD    plants a kernel that spills: the check must find it
set -eu
cd "$(dirname "$0")/.."
. ci/build_folder.sh
page=backend/cuda/ptxas.md

fail() {
    echo "ptxas_report.sh: $1" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# collect FILE.ptxas...: "source<TAB>kernel<TAB>target<TAB>cell" lines, sorted; a cell is registers, and where there are any, bytes of
# static shared memory, of stack, and of spills.
collect() {
    for report in "$@"; do
        source=$(basename "$report" .o.ptxas)
        c++filt <"$report" | awk -v source="$source" -v quote="'" '
            # The name of a function without result and parameters: up to the first parenthesis outside of template arguments.
            function name_of(text,    i, c, depth) {
                sub(/^(static )?void /, "", text)
                for (i = 1; i <= length(text); i++) {
                    c = substr(text, i, 1)
                    if (c == "<") depth++
                    if (c == ">") depth--
                    if (c == "(" && depth == 0) return substr(text, 1, i - 1)
                }
                return text
            }
            /Compiling entry function/ {
                split($0, quoted, quote)
                kernel = name_of(quoted[2])
                target = quoted[4]
            }
            /bytes stack frame/ {
                if (kernel == "") next # of a function that is not a kernel
                stack = $1
                stores = $5
                loads = $9
            }
            /Used [0-9]+ registers/ {
                match($0, /Used [0-9]+/)
                cell = substr($0, RSTART + 5, RLENGTH - 5)
                if (match($0, /[0-9]+ bytes smem/)) cell = cell ", " substr($0, RSTART, RLENGTH - 11) " shared"
                if (stack > 0) cell = cell ", " stack " stack"
                if (stores + loads > 0) cell = cell ", SPILLS " stores " stored " loads " loaded"
                print source "\t" kernel "\t" target "\t" cell
                kernel = ""
            }'
    done | LC_ALL=C sort
}

# complain_of_spills LINES: fails when a kernel spills.
complain_of_spills() {
    if grep SPILLS "$1"; then
        echo "ptxas_report.sh: the kernels above spill registers to memory" >&2
        return 1
    fi
}

# reports_of BUILD: the .ptxas files of a complete build of the module.
reports_of() {
    for kernel in backend/cuda/*.cu backend/cuda/ops/*.cu; do
        report=$1/backend/cuda/CMakeFiles/muonscope-cuda.dir/${kernel#backend/cuda/}.o.ptxas
        [ -f "$report" ] || fail "$report is not there: the module was not built"
        echo "$report"
    done
}

version_of() {
    "$1" --version | sed -n 's/.*release .*, V//p'
}

print_page() { # LINES VERSION
    n=$(wc -l <"$1")
    n_spilling=$(grep -c SPILLS "$1" || true)
    verdict="No kernel spills registers to memory on any target ($n pairs of a kernel and a target)."
    [ "$n_spilling" -eq 0 ] || verdict="Of $n pairs of a kernel and a target $n_spilling spill registers to memory: see SPILLS."
    cat <<EOF
# CUDA kernels: what ptxas makes of them

Registers of a thread; where there are any, bytes of static shared memory of a thread block and bytes of stack of a thread, which hold arrays that
are indexed at run time. Dynamic shared memory is asked for at launch and is not here.
$verdict
Written by \`ci/ptxas_report.sh\` with nvcc $2; \`ci/test.sh\` compares the targets that it builds with this page.
EOF
    targets=$(cut -f 3 "$1" | sort -u -V | tr '\n' ' ')
    awk -F '\t' -v targets="$targets" '
        function finish_row(    i, row) {
            if (kernel == "") return
            row = "| `" kernel "` |"
            for (i = 1; i <= n; i++) row = row " " (order[i] in cells ? cells[order[i]] : "-") " |"
            print row
            split("", cells)
        }
        BEGIN { n = split(targets, order, " ") }
        $1 != source || $2 != kernel { finish_row() }
        $1 != source {
            source = $1
            print "\n## " source "\n"
            header = "| kernel |"
            rule = "|---|"
            for (i = 1; i <= n; i++) {
                header = header " " order[i] " |"
                rule = rule "---|"
            }
            print header
            print rule
        }
        { kernel = $2 }
        $3 in cells { cells[$3] = cells[$3] "; " $4; next }
        { cells[$3] = $4 }
        END { finish_row() }' "$1"
}

# The lines that a page was printed from.
read_page() { # PAGE
    awk -F ' *[|] *' '
        /^## / { source = substr($0, 4) }
        /^\| kernel / { for (i = 3; i < NF; i++) target[i] = $i; next }
        /^\| `/ {
            kernel = substr($2, 2, length($2) - 2)
            for (i = 3; i < NF; i++) if ($i != "-") print source "\t" kernel "\t" target[i] "\t" $i
        }' "$1" | LC_ALL=C sort
}

write() {
    cmake --preset release -B build/ptxas -U MS_CUDA_ARCHITECTURES -DMS_TESTS=OFF -DMS_VULKAN=OFF
    cmake --build build/ptxas -j "$(nproc)" --target muonscope-cuda
    need_cuda_build build/ptxas
    reports=$(reports_of build/ptxas)
    collect $reports >"$work/lines"
    print_page "$work/lines" "$(version_of "$nvcc")" >"$page"
    echo "ptxas_report.sh: $page has $(wc -l <"$work/lines") kernels and targets"
    complain_of_spills "$work/lines"
}

check() {
    need_cuda_build "$1"
    reports=$(reports_of "$1")
    collect $reports >"$work/lines"
    [ -s "$work/lines" ] || fail "no kernel was found in the reports of $1"
    complain_of_spills "$work/lines" || exit 1
    targets=$(cut -f 3 "$work/lines" | sort -u -V | tr '\n' ' ')
    version=$(version_of "$nvcc")
    [ -f "$page" ] || fail "there is no $page: run ci/ptxas_report.sh"
    if ! grep -q "with nvcc $version;" "$page"; then
        echo "ptxas_report.sh: $(wc -l <"$work/lines") kernels and targets ($targets), no spills; $page is of another nvcc than $version"
        return 0
    fi
    # As the page has them: what has several cells in one (kernels of one name) in one line.
    print_page "$work/lines" "$version" >"$work/page"
    read_page "$work/page" >"$work/built"
    read_page "$page" | awk -F '\t' -v targets=" $targets" 'index(targets, " " $3 " ")' >"$work/shown"
    if ! diff "$work/shown" "$work/built"; then
        fail "the kernels are not those of $page (< page, > build): run ci/ptxas_report.sh"
    fi
    echo "ptxas_report.sh: $(wc -l <"$work/lines") kernels and targets ($targets), no spills, as in $page"
}

# Two kernels of one body, whose 96 running sums fit into 255 registers but not into the 32 of full occupancy.
self_test() {
    need_cuda_build "$1"
    cat >"$work/planted.cu" <<'EOF'
template <int N> static __device__ void sums(const float *x, float *y) {
    float sum[N];
    for (int i = 0; i < N; i++) sum[i] = x[i];
    for (int round = 0; round < 100; round++)
#pragma unroll
        for (int i = 0; i < N; i++) sum[i] = sum[i] * sum[(i + 7) % N] + x[round];
    for (int i = 0; i < N; i++) y[i * blockDim.x + threadIdx.x] = sum[i];
}
__global__ void roomy(const float *x, float *y) { sums<96>(x, y); }
#ifdef SPILL
__global__ void __launch_bounds__(1024, 2) narrow(const float *x, float *y) { sums<96>(x, y); }
#endif
EOF
    for option in -DNONE -DSPILL; do
        backend/cuda/keep_ptxas_report.sh "$nvcc" -Xptxas=-v -arch=sm_80 "$option" -c "$work/planted.cu" -o "$work/planted$option.o" ||
            fail "self-test: the planted kernels do not compile"
        collect "$work/planted$option.o.ptxas" >"$work/lines$option"
    done
    complain_of_spills "$work/lines-DNONE" || fail "self-test: a kernel that does not spill is found to"
    [ "$(wc -l <"$work/lines-DNONE")" -eq 1 ] || fail "self-test: one kernel was expected"
    if complain_of_spills "$work/lines-DSPILL" >/dev/null 2>&1; then fail "self-test: the planted spill was not found"; fi
    grep SPILLS "$work/lines-DSPILL" | grep -q narrow || fail "self-test: the planted spill is blamed on another kernel"
    print_page "$work/lines-DSPILL" x >"$work/page"
    read_page "$work/page" | diff "$work/lines-DSPILL" - || fail "self-test: the page does not read back"
    echo "ptxas_report.sh: self-test passed, the planted spill was found"
}

case "$#-${1:-}" in
0-) write ;;
2-check) check "$2" ;;
2-self-test) self_test "$2" ;;
*)
    echo "usage: ci/ptxas_report.sh | ci/ptxas_report.sh check BUILD | ci/ptxas_report.sh self-test BUILD" >&2
    exit 2
    ;;
esac
