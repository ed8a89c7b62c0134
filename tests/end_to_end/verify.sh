#!/bin/sh
# muonscope verify on a device: everything passes and is covered; planted faults fail and are named; bad arguments; JSON.
# Usage: verify.sh PROGRAM [DEVICE]     DEVICE: cpu unless named
. "$(dirname "$0")/support.sh"
device=${2:-cpu}

must program verify --quick --device "$device" --json result.json
grep -q "^coverage of $device exact: \\([0-9]*\\) of \\1 ops, 100.0 %, and 1 composite$" out || fail "exact does not cover every op"
grep -q "^coverage of $device fast: \\([0-9]*\\) of \\1 ops, 100.0 %, and 1 composite$" out || fail "fast does not cover every op"
rows=$(grep -c '"type":"row"' result.json)
grep -q "^$rows rows: $rows pass, 0 fail (0 not run), 0 unsupported$" out || fail "the totals are not $rows passes"
grep -q '"case":"[0-9]*: bf16' result.json || fail "no case in bf16"
grep -q "\"name\":\"train bf16\",\"case\":\"cpu, then $device, from step 2\"" result.json || fail "no run changed its device"
tail -n 1 result.json | grep -q "^{\"type\":\"total\",\"rows\":$rows," || fail "the JSON does not end with totals"
! ls result.json.tmp 2>/dev/null || fail "a temporary file is left"

# Slices share the runs out: none twice, none left.
runs_of() { sed -n 's/.*"kind":"run","name":"\([^"]*\)".*/\1/p' "$@" | sort -u; }
if [ "$device" = cpu ]; then
    for k in 0 1 2; do
        must program verify --quick --runs-only --slice $k/3 --device cpu --json slice$k.json
        runs_of slice$k.json
    done | sort >shared
    runs_of result.json >all
    [ "$(wc -l <all)" -ge 10 ] && cmp -s all shared || fail "slices run $(tr '\n' ';' <shared), not $(tr '\n' ';' <all)"
fi

# Another seed draws other inputs, and passes.
must program verify --quick --device "$device" --op matmul,rms_norm --op attention --seed 7 --numerics fast --json other.json
! grep -q '"numerics":"exact"' other.json || fail "--numerics fast ran exact"
names=$(sed -n 's/.*"type":"row".*"name":"\([a-z_]*\)".*/\1/p' other.json | sort -u | tr '\n' ' ')
[ "$names" = "attention matmul rms_norm " ] || fail "--op ran $names"

# Every op and every run of both numerics gets faults, and a row names each, with element and both patterns.
refuse 1 "rows fail" program verify --quick --device "$device" --planted-fault --json planted.json
planted=$(sed -n 's/^planted faults: \([0-9]*\), found: \1$/\1/p' out)
[ -n "$planted" ] || fail "not all planted faults were found: $(grep '^planted' out)"
n_ops=$(sed -n "s/^coverage of $device exact: \\([0-9]*\\) of.*/\\1/p" out)
n_runs=$(grep -c '"kind":"run"' planted.json)
bits='[0-9a-f]+'
n_found=0
for numerics in exact fast; do
    for op in $(sed -n 's/.*"kind":"op","name":"\([a-z0-9_]*\)".*/\1/p' planted.json | sort -u); do
        grep "^$op " out | grep " $numerics " >rows
        named() {
            grep -qE "$1" rows || fail "no row of $op, $numerics, says /$1/"
            n_found=$((n_found + 1))
        }
        named "(differs|out of bound) .* output 0, element [0-9]+: [0-9a-f]{8}, must be [0-9a-f]{8}"
        named "memory .* wrote around output 0 at element [0-9]+: $bits, was $bits"
        named "memory .* did not write output 0 at element [0-9]+: $bits, was $bits"
        case $op in
        fill | random_normal) ;; # no inputs
        *) named "memory .* changed input 0 at element [0-9]+: $bits, was $bits" ;;
        esac
    done
done
n_nan=$(grep -cE 'differs .* output [0-9], element [0-9]+: 00000000, must be (7f|ff|00007f|0000ff)[0-9a-f]* +nan in input' out)
[ "$n_nan" -ge "$n_ops" ] || fail "only $n_nan rows of $n_ops ops tell of a NaN that became a number"
[ "$planted" -eq $((n_found + n_nan + n_runs)) ] || fail "$planted faults, but $n_found, $n_nan and $n_runs rows"

# The products, attentions and losses of a preset's own step, and some steps; micro is the smallest.  Whole numbers leave nothing to round.
must program verify --production micro --quick --device "$device" --json production.json
for row in 'matmul +a b\^T \[128,32\] \[96,32\] ' 'matmul +a\^T b \[128,96\] \[128,32\] ' 'gram +x x\^T \[2,32,64\] ' \
    'attention +\[128,32\] \[128,16\] \[128,16\] ' 'attention_grad +\[128,32\] ' 'cross_entropy +\[128,96\] i32\[128\] '; do
    grep -qE "^$row.* pass " out || fail "no row /$row/ passes"
done
! grep -E '^matmul .* [0-9]+ times a step' out | sed 's/ whole numbers.*//; s/ [0-9].*//' | sort | uniq -d | grep . || fail "a shape came twice"
[ "$(grep -c '^  step .* fast, .* exact, ' out)" -eq 2 ] || fail "the losses of 2 steps are not beside each other"
grep -q '(an estimate)' out && grep -q '^memory: one run at a time' out || fail "neither memory nor estimates are told"
n_shapes=$(grep -c '"kind":"op"' production.json)
refuse 1 "rows fail" program verify --production micro --storage both --quick --device "$device" --planted-fault
planted=$(sed -n 's/^planted faults: \([0-9]*\), found: \1$/\1/p' out)
[ -n "$planted" ] && [ "$planted" -gt $((2 * n_shapes)) ] || fail "not all faults in production shapes were found: $(grep '^planted' out)"
[ "$(grep -c 'planted: two tiles exchanged' out)" -eq "$(grep -c 'planted: a sum lacks one term' out)" ] || fail "a shape lacks a fault"
refuse 2 "needs --device" program verify --production micro
refuse 2 "--device cpu: it is given twice" program verify --production micro --device cpu --device cpu
refuse 2 "--device cpu: it is given twice" program verify --quick --op axpby --device cpu --device cpu
refuse 2 "leave --numerics fast out" program verify --production micro --numerics fast --device "$device"
refuse 2 "only with --production" program verify --storage bf16
refuse 1 "no preset 'mikro'" program verify --production mikro --device "$device"

refuse 2 "no such op; did you mean matmul" program verify --op matmull
refuse 2 "must be exact, fast or both" program verify --numerics slow
refuse 2 "nothing to verify" program verify --runs-only --ops-only
refuse 1 "no device \"gpu\"" program verify --device gpu
refuse 1 "none/result.json" program verify --op sum --json none/result.json
