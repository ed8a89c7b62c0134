#!/bin/sh
# What GPUs' kernels of attention and matmul keep in an invocation's own memory, in the SPIR-V that the build embeds: no variable of
# more than 64 words.  Larger ones do not stay in registers, of which an invocation has 128 to 255.  Kernels for software drivers
# hold rows in a processor's memory and are not asked.
# Usage: arrays.sh SHADER_FOLDER     the folder holds <shader>_<exact|fast>_<storage>.spv
set -eu
folder=$1
most=64
scratch=$(mktemp -d /tmp/muonscope-arrays-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

# check FILE: of a disassembled module; prints each variable that is too large, or whose size is not known before the module is
# specialised, and on the last line the words of the largest.
check() {
    awk -v most="$most" '
        $2 != "=" { next }
        $3 ~ /^OpType(Bool|Int|Float)$/ { words[$1] = $4 == 64 ? 2 : 1 }
        $3 ~ /^OpType(Vector|Matrix)$/ { words[$1] = words[$4] * $5 }
        $3 == "OpTypeStruct" { for (i = 4; i <= NF; i++) words[$1] += words[$i] }
        $3 == "OpConstant" { value[$1] = $5 }
        $3 == "OpTypeArray" {
            words[$1] = $5 in value ? words[$4] * value[$5] : 0
            if (!($5 in value) || $4 in unknown) unknown[$1] = 1
        }
        $3 == "OpTypePointer" { words[$1] = 2; target[$1] = $5 }
        $3 == "OpVariable" && $5 ~ /^(Function|Private)$/ {
            n = words[target[$4]]
            if (n > most) print $1 " has " n " words"
            if (target[$4] in unknown) print $1 " has a length that a specialisation constant gives"
            if (n > largest) largest = n
        }
        END { print largest + 0 }' "$1"
}

n_modules=0
largest=0
for module in "$folder"/attention_tile*.spv "$folder"/attention_grad_delta_*.spv "$folder"/attention_grad_sum_*.spv \
    "$folder"/attention_logit_max_join_*.spv "$folder"/matmul_4x4_*.spv "$folder"/matmul_8x8_*.spv; do
    name=$(basename "$module" .spv)
    spirv-dis --raw-id "$module" >"$scratch/text"
    check "$scratch/text" >"$scratch/found"
    [ "$(wc -l <"$scratch/found")" -eq 1 ] || fail "$name: $(sed '$d' "$scratch/found" | head -n 3)"
    words=$(cat "$scratch/found")
    [ "$words" -le "$largest" ] || largest=$words
    n_modules=$((n_modules + 1))
done
[ "$n_modules" -eq 36 ] || fail "$n_modules modules in $folder, not 36"
[ "$largest" -eq "$most" ] || fail "the largest variable has $largest words: has this test lost sight of the arrays?"
echo "$n_modules modules, the largest variable has $largest words"

# The check can fail: arrays twice as long, one whose length is not known, forward and backward; and a kernel for software drivers.
for name in attention_tile attention_tile_grad_key attention_tile_grad_query; do
    spirv-dis --raw-id "$folder/${name}_exact_packed.spv" >"$scratch/text"
    sed 's/= OpTypeVector \(%[0-9]*\) 4$/= OpTypeVector \1 8/' "$scratch/text" >"$scratch/planted"
    check "$scratch/planted" | grep -q "has 128 words" || fail "$name: arrays twice as long were not found"
    sed 's/= OpConstant \(%[0-9]*\) 16$/= OpSpecConstant \1 16/' "$scratch/text" >"$scratch/planted"
    check "$scratch/planted" | grep -q "specialisation constant" || fail "$name: an array of unknown length was not found"
done
spirv-dis --raw-id "$folder/attention_128_exact_packed.spv" >"$scratch/text"
check "$scratch/text" | grep -q "has 256 words" || fail "rows held whole were not found"
