#!/bin/sh
# Bad input: one line that names the thing, exit status 1 (2 for usage), and what was there before stays as it was.
. "$(dirname "$0")/support.sh"

train() {
    "$muonscope" train --preset micro "$@"
}

# int32 N: four little-endian bytes.  shard FILE N_TOKENS TOKEN: a shard of that many times this token.
int32() {
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"
}
shard() {
    {
        int32 20240520
        int32 1
        int32 "$2"
        head -c 1012 /dev/zero
        for i in $(seq "$2"); do printf "$(printf '\\%03o\\%03o' $(($3 & 255)) $(($3 >> 8)))"; done
    } >"$1"
}

echo "-- configuration"
refuse 2 "momentun.*muon\.momentum" train --run none --muon.momentun=0.9
refuse 2 "1e30.*out of range" train --run none --muon.lr=1e30
printf 'model:\n  layers: 2\n  widht: 32\n' >bad.yaml
refuse 1 "bad\.yaml:3: .*widht.*model\.width" train --run none --config bad.yaml
printf 'model: [\n' >bad.yaml
refuse 1 "bad\.yaml" train --run none --config bad.yaml
refuse 1 "micrp.*micro" "$muonscope" train --preset micrp --run none
refuse 1 "bench train: train.control noise does none of the model" "$muonscope" bench train --preset micro --train.control noise
refuse 1 "muon.decay 0.1 has no effect: muon.decay_mode is none" train --run none --muon.decay 0.1
refuse 2 "steps 3 and --train.steps 5: train.steps is given twice" train --run none --steps 3 --train.steps=5
refuse 2 "run is given twice, 'a' and 'b'" train --run a --run b
refuse 2 "train: unknown option --lr; did you mean --muon.lr, --sgd.lr or --adamw.lr" train --run none --lr 0.1
refuse 2 "unknown key muon.learning_rate; did you mean muon.lr\?" train --run none --muon.learning_rate 0.1
refuse 1 "4.*3" train --run none --model.kv_heads=3
refuse 1 "head_size.*7" train --run none --model.head_size=7
refuse 1 "cuda:0" train --run none --device cuda:0
[ ! -e none ] || fail "a run folder was made for a configuration that is refused"

echo "-- data"
seq 3000 | sed 's/$/ quick brown foxes jump over the lazy dog; pack my box with five dozen liquor jugs./' >text.txt
must program tokenizer train --vocab_size 300 --output tokenizer.json text.txt
must program data prepare --tokenizer tokenizer.json --output good --validation_fraction 0.2 text.txt
on() {
    train --model.vocabulary=0 --data.directory="$1" --run "run_$1" --steps 4
}
must program train --preset micro --model.vocabulary=0 --data.directory=good --run run_good --steps 4
cp -r good missing && rm missing/data_train_000000.bin
refuse 1 "missing/data_train_000000\.bin" on missing
refuse 1 "nowhere" on nowhere
cp -r good truncated && truncate -s -100 truncated/data_train_000000.bin
refuse 1 "truncated/data_train_000000\.bin.*[0-9]" on truncated
cp -r good foreign && printf 'GGUF' | dd of=foreign/data_train_000000.bin conv=notrunc 2>/dev/null
refuse 1 "foreign/data_train_000000\.bin" on foreign
cp -r good mismatch
must program tokenizer train --vocab_size 280 --output mismatch/tokenizer.json text.txt
refuse 1 "mismatch/tokenizer\.json.*SHA-256" on mismatch
refuse 1 "vocabulary" train --data.directory=good --model.vocabulary=96 --run run_small
mkdir outside && shard outside/x_train_000000.bin 300 95 && shard outside/x_val_000000.bin 300 96
refuse 1 "outside/x_val_000000\.bin.*96" train --data.directory=outside --run run_outside
for folder in missing nowhere truncated foreign mismatch; do
    [ ! -e "run_$folder" ] || fail "a run folder was made for data that are refused: $folder"
done

echo "-- checkpoints"
must micro --run run
fingerprint run/checkpoints >before
unchanged() {
    fingerprint run/checkpoints >after
    cmp before after || fail "a checkpoint was touched"
}
refuse 1 "model\.layers" "$muonscope" train --resume run --model.layers=3 --steps 60
refuse 1 "run" train --run run
unchanged
cp -r run cut && truncate -s -8 cut/checkpoints/step_00000050/model.safetensors
refuse 1 "cut/checkpoints/step_00000050.*model\.safetensors.*[0-9]+ bytes" "$muonscope" train --resume cut --steps 60
cp -r run flipped
printf 'x' | dd of=flipped/checkpoints/step_00000050/optimizer.safetensors bs=1 seek=5000 conv=notrunc 2>/dev/null
refuse 1 "flipped/checkpoints/step_00000050.*optimizer\.safetensors" "$muonscope" train --resume flipped --steps 60
cp -r run stateless && rm stateless/checkpoints/step_00000050/state.json
refuse 1 "stateless/checkpoints/step_00000050" "$muonscope" train --resume stateless --steps 60
rm -r cut/checkpoints/step_00000050
must resume cut
refuse 1 "nobody" "$muonscope" train --resume nobody

echo "-- options"
for option in --tokens=-1 --top_k=-1 --seed=-1 --step=-1 --threads=-1 --temperature=-0.5 --repetition_window=-1; do
    refuse 2 "${option%%=*}: -.* is negative" "$muonscope" generate run_good $option
done
refuse 2 "tokens: -1 is negative" "$muonscope" generate run_good --tokens -1
for option in --top_p=-0.5 --top_p=0 --top_p=1.5 --min_p=-0.5 --min_p=2 --repetition_penalty=-1 --repetition_penalty=0; do
    refuse 2 "${option%%=*}: .*, must be" "$muonscope" generate run_good $option
done
refuse 2 "step: -1 is negative" "$muonscope" train --resume run --step -1
refuse 1 "run folder -dash does not exist" "$muonscope" plot -- -dash
refuse 1 "no run folder -dash" "$muonscope" generate -- -dash
refuse 1 "no run folder --help" "$muonscope" generate -- --help
refuse 1 "cannot open -dash" "$muonscope" tokenizer train -- -dash
refuse 1 "cannot open -dash" "$muonscope" tokenizer encode -- -dash
refuse 1 " -dash" "$muonscope" data info -- -dash
refuse 2 "unexpected argument '-dash'" "$muonscope" train -- -dash

echo "-- folders"
echo file >file
refuse 1 "file/run" train --run file/run
refuse 1 "/proc/muonscope" train --run /proc/muonscope

echo "-- numbers"
refuse 1 "step [0-9]+: loss .*(nan|inf) at element [0-9]+" train --run infinite --muon.lr=1000 --muon.decay=1000 --muon.decay_mode=decoupled \
    --checkpoint.every=1 --validation.every=0
newest=$(ls infinite/checkpoints | sort | tail -n 1 | sed 's/step_0*//')
failed=$(sed -n 's/^muonscope: step \([0-9]*\):.*/\1/p' err)
[ "$((newest + 1))" -eq "$failed" ] || fail "step $failed failed, but the newest checkpoint is of step $newest"
must resume infinite --steps "$newest"
unchanged
