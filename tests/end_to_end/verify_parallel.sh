#!/bin/sh
# muonscope verify --parallel: runs by ranks that are threads have the bits of one process; planted faults fail and are named; bad arguments; JSON.
# Usage: verify_parallel.sh PROGRAM
. "$(dirname "$0")/support.sh"

must program verify --quick --parallel 3 --device cpu --json result.json
rows=$(grep -c '"type":"row"' result.json)
[ "$rows" -ge 20 ] || fail "only $rows rows"
grep -q "^$rows rows: $rows pass, 0 fail (0 not run), 0 unsupported$" out || fail "the totals are not $rows passes"
for case in "1 rank" "2 ranks" "3 ranks" "3 ranks, shares 2,1,1" "one process, then 3 ranks, from step 2" "3 ranks, then 2, from step 2" \
    "3 ranks, then one process, from step 2"; do
    grep -q "\"kind\":\"run\",\"name\":\"parallel muon\",\"case\":\"$case\",\"device\":\"cpu\",\"numerics\":\"exact\",\"verdict\":\"pass\"" result.json ||
        fail "no row of $case"
done
for name in adamw normuon "7 layers" bf16; do
    grep -q "\"name\":\"parallel $name\",\"case\":\"3 ranks, shares 2,1,1\"" result.json || fail "no run of $name"
done

# A micro-step that does not arrive, and two that are added in each other's place.
refuse 1 "rows fail" program verify --quick --parallel 3 --device cpu --planted-fault
planted=$(sed -n 's/^planted faults: \([0-9]*\), found: \1$/\1/p' out)
[ "${planted:-0}" -ge 15 ] || fail "not all planted faults were found: $(grep '^planted' out)"
[ "$(grep -cE ' (2 ranks|3 ranks), a lost micro-step .* differs .*weights_sha256 [0-9a-f]{12}, must be ' out)" -eq $((planted / 3 * 2)) ] || fail "lost micro-steps are not named"
[ "$(grep -cE ' 3 ranks, two micro-steps reordered .* differs ' out)" -eq $((planted / 3)) ] || fail "reordered micro-steps are not named"

refuse 2 "from 2 to 16" program verify --parallel 1
refuse 2 "from 2 to 16" program verify --parallel 17
refuse 2 "leave --numerics fast out" program verify --parallel 2 --numerics fast
refuse 2 "training runs of its own" program verify --parallel 2 --op matmul
refuse 2 "3 devices: each needs a rank" program verify --parallel 2 --device cpu --device cpu --device cpu
refuse 1 "rank 1: .*no device \"gpu\"" program verify --parallel 2 --device cpu --device gpu
