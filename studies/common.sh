# What studies on the preset `tiny` share (a run of 300 steps takes about a minute and a half on two cores); sourced with the arguments of the study:
#     [DATA [RUNS]]      DATA: a folder as ci/demo_data.sh makes it (default data/demo); RUNS: where runs go (default runs/tiny); runs that are
#                        there already are not repeated, and these studies share them
# MUONSCOPE names the program (default build/release/muonscope), SEEDS the seeds (default 1 2 3), STEPS the length of a run (default 300).
muonscope=${MUONSCOPE:-build/release/muonscope}
data=${1:-data/demo}
folder=${2:-runs/tiny}
seeds=${SEEDS:-1 2 3}
steps=${STEPS:-300}

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}
[ -e "$data/dataset.json" ] || fail "no data in $data: ci/demo_data.sh makes them"
[ -x "$muonscope" ] || fail "no program $muonscope: build it, or name it in MUONSCOPE"
mkdir -p "$folder"

# train NAME OPTION...: a run for each seed, NAME-SEED; goes on where an earlier call was stopped.  A run that is finished stays as it is,
# and one that was made with other options is an error.
train() {
    name=$1
    shift
    for seed in $seeds; do
        run=$folder/$name-$seed
        options="--data.directory $data --steps $steps --seed $seed $*"
        if [ -e "$run.options" ]; then
            [ "$(cat "$run.options")" = "$options" ] || fail "$run was made with other options ($(cat "$run.options")): name another folder"
        else
            echo "$options" >"$run.options"
        fi
        [ ! -e "$run.finished" ] || continue
        echo "$(basename "$0"): $run"
        "$muonscope" train --preset tiny --run "$run" --resume "$run" --sample.tokens 0 --data.directory "$data" --steps "$steps" --seed "$seed" "$@" \
            >"$run.out" 2>&1 || fail "$run: $(tail -n 1 "$run.out")"
        touch "$run.finished"
    done
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

# table OPTION... NAME...: studies/table.py of these runs; options first, each with its value.
table() {
    options=
    while [ "${1#--}" != "$1" ]; do
        options="$options $1 $2"
        shift 2
    done
    groups=
    for name; do groups="$groups $(runs "$name")"; done
    # shellcheck disable=SC2086
    python3 studies/table.py $options $groups
}
