#!/bin/sh
# What the compiled shaders of `exact` promise, in their SPIR-V: no float result that a driver may contract or reassociate
# (NoContraction on each), no operation that drivers may round as they like; and modules stay valid with the float modes that
# devices can be asked for (backend/vulkan/vulkan_spirv.h).
# Usage: spirv.sh SHADER_FOLDER FLOAT_MODES     the folder holds <shader>_exact_<storage>.spv; the program is float_modes.c
set -eu
folder=$1
float_modes=$(realpath "$2")
scratch=$(mktemp -d /tmp/muonscope-spirv-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

# check FILE: of a disassembled module; prints what is wrong with it, and how many results it has on the last line.
check() {
    awk '
        $1 == "OpDecorate" && $3 == "NoContraction" { kept[$2] = 1 }
        $2 != "=" { next }
        $3 ~ /^Op(FAdd|FSub|FMul|VectorTimesScalar)$/ { n++; if (!($1 in kept)) print $3 " " $1 " may be contracted" }
        $3 ~ /^Op(FDiv|FRem|FMod|Dot|OuterProduct|.*TimesMatrix|Matrix.*)$/ && $3 !~ /^OpTypeMatrix/ { print $3 " " $1 " is not exact" }
        # FMin: of a number in a report of bad data
        $3 == "OpExtInst" && $6 !~ /^(UMin|UMax|FMin)$/ { print $6 " " $1 " is not exact" }
        END { print n + 0 }' "$1"
}

n_modules=0
n_results=0
for module in "$folder"/*_exact_*.spv; do
    name=$(basename "$module" .spv)
    spirv-dis --raw-id "$module" >"$scratch/text"
    check "$scratch/text" >"$scratch/found"
    [ "$(wc -l <"$scratch/found")" -eq 1 ] || fail "$name: $(sed '$d' "$scratch/found" | head -n 3)"
    n_results=$((n_results + $(cat "$scratch/found")))
    n_modules=$((n_modules + 1))
    "$float_modes" "$module" "$scratch/modes.spv"
    spirv-val --target-env vulkan1.2 "$scratch/modes.spv" || fail "$name with float modes is not valid"
    spirv-dis --raw-id "$scratch/modes.spv" >"$scratch/modes"
    for mode in SignedZeroInfNanPreserve RoundingModeRTE DenormPreserve; do
        grep -q "OpCapability $mode\$" "$scratch/modes" || fail "$name: no capability $mode"
        grep -qE "OpExecutionMode %[0-9]+ $mode 32\$" "$scratch/modes" || fail "$name: no mode $mode"
    done
    grep -vE "SignedZeroInfNanPreserve|RoundingModeRTE|DenormPreserve" "$scratch/modes" | cmp -s - "$scratch/text" ||
        fail "$name: float modes change more than modes"
done
[ "$n_modules" -ge 90 ] || fail "only $n_modules modules in $folder"
[ "$n_results" -ge 1000 ] || fail "only $n_results results in $folder"
echo "$n_modules modules, $n_results float results"

# The check can fail: a decoration that is lost, a division, a function that no driver rounds as another.
spirv-dis --raw-id "$folder/adamw_exact_packed.spv" >"$scratch/text"
awk '/NoContraction/ && !done { done = 1; next } { print }' "$scratch/text" >"$scratch/planted"
check "$scratch/planted" | grep -q "may be contracted" || fail "a missing NoContraction was not found"
sed '0,/OpFMul/s//OpFDiv/' "$scratch/text" >"$scratch/planted"
check "$scratch/planted" | grep -q "OpFDiv.*is not exact" || fail "a division was not found"
sed '0,/= OpFMul \(%[0-9]*\) /s//= OpExtInst \1 %1 Exp /' "$scratch/text" >"$scratch/planted"
check "$scratch/planted" | grep -q "Exp.*is not exact" || fail "a built-in exp was not found"
echo "no SPIR-V" >"$scratch/none.spv"
! "$float_modes" "$scratch/none.spv" "$scratch/out.spv" 2>"$scratch/err" || fail "text passes for SPIR-V"
grep -q "no shader" "$scratch/err" || fail "no message for what is not SPIR-V: $(cat "$scratch/err")"
