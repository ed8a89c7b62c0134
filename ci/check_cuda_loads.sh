#!/bin/sh
# Kernels that stream through memory have as many loads in flight as ci/cuda_loads.txt says, in the machine code for sm_90 of a build of the
# module (backend/cuda/keep_ptxas_report.sh keeps it).  No GPU is needed.
#
# Loads in flight: the largest number of loads from global memory (LDG) in a stretch of code that no other instruction between them
# reads or overwrites a result of.  A stretch ends at a label, and after a jump or exit without a condition.  Stretches within
# loops count, where the kernel has any with loads; else all.  So an unrolled loop that tests for its end before each load, or
# uses each load before the next, has one.
# Usage: ci/check_cuda_loads.sh check BUILD        looks at the kernels of the list, and names the largest and smallest of each
#        ci/check_cuda_loads.sh show BUILD         all kernels: source, loads in flight, their bytes, instructions, name
#        ci/check_cuda_loads.sh self-test BUILD    plants a loop with an unsigned counter: the check must find it
set -eu
cd "$(dirname "$0")/.."
. ci/build_folder.sh
list=ci/cuda_loads.txt

fail() {
    echo "check_cuda_loads.sh: $1" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

find_disassembler() {
    for nvdisasm in "$(command -v nvdisasm || true)" "$(dirname "$nvcc")/nvdisasm" build/nvdisasm/nvdisasm; do
        if [ -x "$nvdisasm" ] && "$nvdisasm" --version | grep -Eq 'release 1[3-9]\.'; then return 0; fi
    done
    fail "no nvdisasm 13 on PATH, beside nvcc or in build/nvdisasm (ci/nvdisasm.sh build/nvdisasm gets one)"
}

# measure CUBIN SOURCE: "source<TAB>loads<TAB>bytes<TAB>instructions<TAB>kernel" lines.
measure() {
    "$nvdisasm" -c "$1" >"$work/sass" || fail "$nvdisasm cannot read $1"
    awk -v source="$2" '
        function forget() {
            split("", waits)
            loads = bytes = 0
        }
        # Whether registers of the operands are results that have not been waited for.
        function touches(operands,    r, n) {
            while (match(operands, /(^|[^U])R[0-9]+(\.64)?/)) {
                r = substr(operands, RSTART, RLENGTH)
                operands = substr(operands, RSTART + RLENGTH)
                n = r ~ /\.64/ ? 2 : 1
                sub(/^[^R]*R/, "", r)
                if ((r + 0) in waits || (n == 2 && (r + 1) in waits)) return 1
            }
            return 0
        }
        function step(text,    opcode, operands, first, n, k) {
            opcode = text
            sub(/ .*/, "", opcode)
            operands = substr(text, length(opcode) + 1)
            if (opcode !~ /^LDG(\.|$)/) {
                if (loads > 0 && touches(operands)) forget()
                return
            }
            n = opcode ~ /\.128/ ? 4 : opcode ~ /\.64/ ? 2 : 1
            match(operands, /R[0-9]+/)
            first = substr(operands, RSTART + 1, RLENGTH - 1) + 0
            if (touches(substr(operands, RSTART + RLENGTH))) forget() # its address
            for (k = 0; k < n; k++) if ((first + k) in waits) forget()
            for (k = 0; k < n; k++) waits[first + k] = 1
            loads++
            bytes += opcode ~ /[US]16/ ? 2 : opcode ~ /[US]8/ ? 1 : 4 * n
        }
        function finish_kernel(    i, j, most, most_bytes, anywhere, anywhere_bytes, in_loop) {
            for (i = 1; i <= n_lines; i++)
                if (i in jump && jump[i] in label && label[jump[i]] <= i)
                    for (j = label[jump[i]]; j <= i; j++) in_loop[j] = 1
            forget()
            for (i = 1; i <= n_lines; i++) {
                if (i in begins) forget()
                step(code[i])
                if (loads > anywhere) { anywhere = loads; anywhere_bytes = bytes }
                if (i in in_loop && loads > most) { most = loads; most_bytes = bytes }
                if (i in ends) forget()
            }
            if (most == 0) { most = anywhere; most_bytes = anywhere_bytes }
            if (kernel != "") printf "%s\t%d\t%d\t%d\t%s\n", source, most, most_bytes, n_lines, kernel
            kernel = ""
        }
        /\.target/ { if ($2 != "sm_90") { print "of another target: " $2 >"/dev/stderr"; exit 1 } }
        /^\t\.section/ { if (kernel != "") finish_kernel() }
        /^\.text\./ {
            kernel = substr($0, 7)
            sub(/:.*/, "", kernel)
            n_lines = 0
            split("", label); split("", jump); split("", begins); split("", ends)
            next
        }
        kernel == "" { next }
        /^\.L[_0-9a-z]*:/ { sub(/:.*/, ""); label[$0] = n_lines + 1; begins[n_lines + 1] = 1; next }
        /^ *\/\*[0-9a-f]+\*\// {
            sub(/^ *\/\*[0-9a-f]+\*\/ */, "")
            sub(/ *;.*/, "")
            guarded = sub(/^@!?U?P[0-9T]+ */, "")
            if ($0 ~ /^NOP/) next
            code[++n_lines] = $0
            if (/^BRA/ && match($0, /\.L[_0-9a-z]+/)) jump[n_lines] = substr($0, RSTART, RLENGTH)
            if (!guarded && /^(BRA|BRX|EXIT|JMP|RET)/) ends[n_lines] = 1
        }
        END { if (kernel != "") finish_kernel() }' "$work/sass" >"$work/measured" || fail "$1 cannot be read"
    c++filt <"$work/measured" | sed 's/\tvoid /\t/; s/([^()]*)$//'
}

# The kernels of a build, of the sources that are named (all, when none is).
measure_build() { # BUILD [SOURCE...]
    folder=$1/backend/cuda/CMakeFiles/muonscope-cuda.dir
    shift
    [ $# -gt 0 ] || set -- $(cd backend/cuda && ls ops/*.cu)
    for source; do
        name=$(basename "$source" .cu)
        cubin=
        # nvcc's names for one target, for one with PTX, and for several.
        for suffix in .cubin .sm_90.cubin .compute_90.cubin; do
            [ ! -f "$folder/$source.o.code/$name$suffix" ] || cubin=$folder/$source.o.code/$name$suffix
        done
        [ -n "$cubin" ] || fail "$folder/$source.o.code has no machine code for sm_90: the module was not built for it"
        measure "$cubin" "$source"
    done
}

# complain LIST MEASURED: fails when a kernel of the list is absent or has fewer loads in flight.
complain() {
    awk -F '\t' '
        FNR == NR {
            if ($0 ~ /^#/ || $0 == "") next
            split($0, word, " ")
            name = $0
            sub(/^ *[^ ]+ +[^ ]+ +/, "", name)
            wanted[word[1] "\t" name] = word[2]
            next
        }
        { found[$1 "\t" $5] = $2 }
        END {
            for (key in wanted) {
                split(key, part, "\t")
                if (!(key in found)) { print part[1] ": " part[2] " is not there"; bad = 1 }
                else if (found[key] < wanted[key]) {
                    print part[1] ": " part[2] " has " found[key] " loads in flight, " wanted[key] " are wanted"
                    bad = 1
                }
            }
            exit bad
        }' "$1" "$2"
}

check() {
    measure_build "$1" $(awk '!/^#/ && NF { print $1 }' $list | sort -u) >"$work/kernels"
    complain $list "$work/kernels" || fail "the kernels above wait for memory more often than $list says"
    echo "check_cuda_loads.sh: $(grep -c '^ops' $list) kernels have the loads in flight of $list"
}

# The same sum twice; the unsigned counter may wrap, so that each round is tested for the end.
self_test() {
    cat >"$work/planted.cu" <<'EOF'
template <class COUNTER> static __device__ void add_up(const float *x, float *y, COUNTER n) {
    float sum = 0;
#pragma unroll 8
    for (COUNTER i = threadIdx.x; i < n; i += 32) sum += x[i];
    y[threadIdx.x] = sum;
}
__global__ void signed_counter(const float *x, float *y, int n) { add_up<int>(x, y, n); }
__global__ void unsigned_counter(const float *x, float *y, unsigned n) { add_up<unsigned>(x, y, n); }
EOF
    "$nvcc" -O3 -arch=sm_90 -cubin "$work/planted.cu" -o "$work/planted.cubin" || fail "self-test: the planted kernels do not compile"
    measure "$work/planted.cubin" planted.cu >"$work/kernels"
    echo 'planted.cu 8 signed_counter' >"$work/list"
    complain "$work/list" "$work/kernels" || fail "self-test: a loop with eight loads in flight is found to have fewer"
    echo 'planted.cu 2 unsigned_counter' >"$work/list"
    if complain "$work/list" "$work/kernels" >/dev/null; then fail "self-test: the planted loop was not found"; fi
    echo 'planted.cu 1 absent' >"$work/list"
    if complain "$work/list" "$work/kernels" >/dev/null; then fail "self-test: a kernel that is not there was not missed"; fi
    echo "check_cuda_loads.sh: self-test passed, the planted loop was found"
}

case "$#-${1:-}" in
2-check | 2-show | 2-self-test) need_cuda_build "$2" ;;
*)
    echo "usage: ci/check_cuda_loads.sh check|show|self-test BUILD" >&2
    exit 2
    ;;
esac
find_disassembler
case $1 in
check) check "$2" ;;
show) measure_build "$2" ;;
self-test) self_test "$2" ;;
esac
