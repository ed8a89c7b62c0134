#!/bin/sh
# docs/tutorial.md: runs every command of the page, in its order, and the study that it declares.  By default with few and small steps on a text of
# 300,000 bytes; `verbatim`: as it stands, but for the study, which has few steps and two seeds.
# Usage: tutorial.sh PROGRAM [verbatim]
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/tutorial.md
. "$(dirname "$0")/support.sh"
verbatim=${2:-}

mkdir bin
ln -s "$muonscope" bin/muonscope
PATH=$scratch/bin:$PATH

# The commands: indented lines that begin with a program's name.  The study's file: the indented lines from `study:` on.
grep -E '^    (muonscope|cat) ' "$page" | sed 's/^    //' >commands
[ "$(wc -l <commands)" -ge 15 ] || fail "only $(wc -l <commands) commands in the tutorial"
awk '/^    study: / { inside = 1 } inside && !/^    / { exit } inside { print substr($0, 5) }' "$page" >merged.yaml
[ -s merged.yaml ] || fail "no study in the tutorial"
small='train.batch_sequences: 2, model.sequence_length: 64, validation.every: 2, validation.sequences: 4'
sed -i "s/train.steps: [0-9]*/train.steps: 4, $small/;s/tracker.every: [0-9]*/tracker.every: 2/" merged.yaml
if [ ! "$verbatim" ]; then
    sed -i "/ train /s/--steps [0-9]*/--steps 4 --tracker.every 2 --sample.tokens 5 $(echo "$small" | sed 's/\([a-z._]*\): \([0-9]*\),*/--\1 \2/g')/" commands
    cat /usr/share/common-licenses/* | head -c 300000 >licences.txt
fi
while read -r command; do
    case $command in
    "cat "*) [ "$verbatim" ] || command="cat licences.txt >text.txt" ;;
    esac
    echo "tutorial: $command"
    status=0
    sh -c "$command" >out 2>err </dev/null || status=$?
    case $command in *merged.yaml\ --dry-run)
        cp out plan
        sed -i 's/^seeds: .*/seeds: 1-2/' merged.yaml # enough to make it
        ;;
    esac
    [ "$status" -eq 0 ] || {
        cat out err >&2
        fail "exit status $status of: $command"
    }
done <commands

# What the page promises.
grep -q "hypotheses.*recorded" runs/merged/results.md || fail "the study has no results"
! grep -q "p-value" plan || fail "the study's seeds are too few for its hypotheses"
[ -s runs/merged-1/report.html ] || fail "no report"
ls runs/merged-1/plots/*.png >/dev/null 2>&1 || fail "no pictures"
[ -s tables/spectra.csv ] || fail "no table"
head -n 1 tables/spectra.csv | grep -q "sigma_1,.*sigma_10,.*alignment_left" || fail "spectra.csv lacks columns that the tutorial names"
[ ! "$verbatim" ] || {
    # 7.62 is a guess.
    sed -n 's/.*"validation_loss": *\([0-9.]*\).*/\1/p' runs/merged-1/metrics.jsonl | tail -n 1 | awk '{ exit !($1 < 6) }' || fail "the first run learned nothing"
}
