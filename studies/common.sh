# What studies on the preset `tiny` share; sourced, with `data` and `folder` set.
muonscope=${MUONSCOPE:-build/release/muonscope}

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}
seeds=${SEEDS:-1 2 3}
steps=${STEPS:-300}
[ -e "$data/dataset.json" ] || fail "no data in $data: ci/demo_data.sh makes them"
[ -x "$muonscope" ] || fail "no program $muonscope: build it, or name it in MUONSCOPE"

# train RUN OPTION...: trains, or goes on where an earlier call was stopped; a run that is finished stays as it is.
train() {
    run=$1
    shift
    [ ! -e "$run.finished" ] || return 0
    mkdir -p "$folder"
    "$muonscope" train --preset tiny --data.directory "$data" --run "$run" --resume "$run" --checkpoint.every 100 --checkpoint.keep 1 --sample.tokens 0 "$@" >"$run.out" 2>&1 ||
        fail "$run: $(tail -n 1 "$run.out")"
    touch "$run.finished"
}

# runs NAME: the runs of that name, one for each seed, as table.py takes them.
runs() {
    list=
    for seed in $seeds; do list="$list,$folder/$1-$seed"; done
    echo "$1=${list#,}"
}

# losses NAME...: the last validation loss of each run.
losses() {
    for name; do
        printf '%16s' "$name"
        for seed in $seeds; do
            printf ' %10.4f' "$(sed -n 's/.*"validation_loss": *\([0-9.]*\).*/\1/p' "$folder/$name-$seed/metrics.jsonl" | tail -n 1)"
        done
        echo
    done
}
