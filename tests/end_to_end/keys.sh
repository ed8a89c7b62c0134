#!/bin/sh
# `tracker describe` has every key of a run's logs, and no other; docs/files.md has every file, and every key of the rest;
# docs/papers.md every rule.
. "$(dirname "$0")/support.sh"

must micro --run run --steps 2 --tracker.every 1 --tracker.spectrum full --tracker.every_step sigma_max
must program tracker describe
cp out keys.txt
for file in spectra probes metrics spectra/index sigma_max; do
    awk -v heading="$file.jsonl:" '
        /^[a-z].*:$/ { here = $0 == heading; next }
        here && /^[a-z]/ { print $1 }' keys.txt | LC_ALL=C sort >described.txt
    # Below the keys of sigma_max.jsonl are the projections.
    grep -oE '"[a-z_0-9]+":' "run/$file.jsonl" | tr -d '":' | grep -vxE 'q|k|v|o|up|down' | LC_ALL=C sort -u >there.txt
    [ "$(wc -l <there.txt)" -ge 5 ] || fail "$file.jsonl has only these keys: $(cat there.txt)"
    diff described.txt there.txt || fail "$file.jsonl has other keys (right) than are described (left)"
done

page=$(dirname "$0")/../../docs/files.md
seq 3000 | sed 's/$/ quick brown foxes jump over the lazy dog; pack my box with five dozen liquor jugs./' >text.txt
must program tokenizer train --vocab_size 300 --output tokenizer.json text.txt
must program data prepare --tokenizer tokenizer.json --output data --validation_fraction 0.2 text.txt
must micro --run whole --data.directory data --model.vocabulary 0 --steps 2 --tracker.every 1 --sample.tokens 4 --tracker.spectrum full --tracker.every_step sigma_max \
    --train.hash_every 1
must program plot whole --only loss
for file in $(cd whole && find . -type f) $(cd data && find . -type f); do
    name=$(echo "${file#./}" | sed -E 's/(step_)[0-9]{8}/\1<step>/; s/_[0-9]{6}\.bin/_<number>.bin/; s/^data_/<name>_/; s|^plots/loss|plots/<plot>|')
    case $name in
    checkpoints/*) name=${name#checkpoints/step_<step>/} ;;
    plots/*.svg) name=.svg ;;
    plots/*.gp) name=.gp ;;
    plots/*.csv) name=.csv ;;
    esac
    grep -qF "\`$name\`" "$page" || fail "docs/files.md has no word of $name"
done
for key in $(sed -E 's/: "[^"]*"//' whole/checkpoints/step_00000002/state.json data/dataset.json | grep -oE '^ *"[a-z_0-9]+"' | tr -d '" ' | sort -u); do
    grep -qF "\`$key\`" "$page" || fail "docs/files.md has no word of the key $key"
done

# Each set of coefficients, rule, scaling and schedule has its paper in docs/papers.md.
papers=$(dirname "$page")/papers.md
must program train --help-config
for key in optimizer.name muon.coefficients muon.scaling schedule.name model.activation; do
    names=$(grep -A2 -F "$key" out | grep -oE '\((allowed: )?[a-z_0-9]+( \| [a-z_0-9]+)+\)' | head -n 1 | tr -d '()|')
    [ "$(echo "$names" | wc -w)" -ge 3 ] || fail "$key has no values in --help-config"
    for name in $names; do
        grep -qE "^\|[^|]*\`$name\`" "$papers" || fail "docs/papers.md has no paper of $key $name"
    done
done

# docs/reading-spectra.md names no key and no plot that is not there.
must program tracker describe
cp out keys.txt
must program plot --help
reading=$(dirname "$page")/reading-spectra.md
for key in $(sed -nE 's/^\| (`[^|]*)\|.*/\1/p' "$reading" | grep -oE '`[a-z_0-9]+`' | tr -d '`'); do
    case $key in _merged) continue ;; esac
    grep -qE "^$key( |\$)" keys.txt || fail "docs/reading-spectra.md has the key $key, which no file has"
done
for plot in $(sed -nE 's/^\| `.*\| ([^|]*) \|$/\1/p' "$reading" | grep -oE '`[a-z_0-9]+`' | tr -d '`'); do
    grep -qE "(^|[ ,])$plot([,.]|\$)" out || fail "docs/reading-spectra.md has the plot $plot, which is not there"
done
