#!/bin/sh
# One command line that begins a run or goes on with it; what a resumption changes; going back to an older checkpoint.
. "$(dirname "$0")/support.sh"

# The same line begins the run, also in a folder whose creation was killed, and finds it finished the second time.
mkdir -p one/checkpoints one/plots
one="train --preset micro --numerics exact --threads 1 --steps 20 --run one --resume one"
must program $one
hashes >first.hashes
must program $one
hashes >second.hashes
cmp first.hashes second.hashes || fail "the second time ends with other hashes"
# Killed before the first checkpoint, which is all but the configuration.
rm -r one/checkpoints one/metrics.jsonl one/spectra.jsonl one/run.log
must program $one
grep -q "one has no checkpoint yet: it starts from its config.yaml" err || fail "did not say that it starts anew: $(cat err)"
hashes >second.hashes
cmp first.hashes second.hashes || fail "a run begun again ends with other hashes"
refuse 2 "the same name to both" "$muonscope" train --run one --resume two
refuse 1 "exists and holds" "$muonscope" train --preset micro --run one
refuse 1 "no run folder none" "$muonscope" train --resume none
refuse 2 "step names a checkpoint" "$muonscope" train --preset micro --run none --step 3
refuse 1 "step 3: there is no run none yet, and so no checkpoint" "$muonscope" train --preset micro --run none --resume none --step 3
[ ! -e none ] || fail "a run was begun in spite of --step"
# Metrics of a run that made steps are not begun again over.
cp -r one lost
rm -r lost/checkpoints
refuse 1 "lost/metrics\.jsonl has step 20, but there is no checkpoint" "$muonscope" train --resume lost

# What is changed at a resumption is the run's, though nothing was saved before it was killed.
micro_options="--threads 1 --steps 20 --checkpoint.every 10"
must micro --run changed $micro_options
must micro --run straight $micro_options
"$muonscope" train --resume changed --steps 100000 --muon.lr 0.1 --checkpoint.every 0 >out 2>err &
process=$!
until grep -q '"step":30,' changed/metrics.jsonl; do sleep 0.02; done
kill -KILL "$process"
wait "$process" || true
grep -qx '# step 20: muon.lr 0.024 -> 0.1' changed/config.yaml || fail "config.yaml does not tell the change"
must resume changed --steps 40
hashes >changed.hashes
must resume straight --steps 40 --muon.lr 0.1
hashes >straight.hashes
cmp straight.hashes changed.hashes || fail "the change was lost when the run was killed"
grep -q 'step 20: muon.lr 0.024 -> 0.1' changed/run.log || fail "run.log does not tell the change"

# What is switched off at a resumption leaves the keys that shaped it where they are, and is no contradiction of them.
noise="--intervention.noise 0.1 --intervention.noise_place after --intervention.noise_projections q,k --muon.decay 0.1 --muon.decay_mode both"
must micro --run noise --steps 2 $noise --sgd.lr 3
grep -qx 'warning: sgd.lr has no effect: optimizer.name is muon; leave it out or set optimizer.name sgd' err || fail "not said: $(cat err)"
grep -q ' warning sgd.lr has no effect: ' noise/run.log || fail "run.log does not have the warning"
[ "$(grep -c 'has no effect' err)" -eq 1 ] || fail "more is said to have no effect: $(cat err)"
must resume noise --steps 4 --intervention.noise 0 --muon.decay_mode none
! grep 'no effect' err || fail "keys that nobody gave are blamed"
must resume noise --steps 6
refuse 1 "muon.decay 0.2 has no effect: muon.decay_mode is none" "$muonscope" train --resume noise --steps 8 --muon.decay 0.2

# A run of `fast` that is older than model.loss_chunk goes on with the chunks that it had.
must program train --preset micro --run older --threads 1 --steps 4 --train.batch_sequences 32 --model.loss_chunk 512
cp -r older today
cp -r older large
sed -i '/^  loss_chunk: /d' older/config.yaml
must resume today --steps 6
hashes >today.hashes
must resume older --steps 6
grep -q 'in chunks of 512 tokens' out || fail "an older run has other chunks: $(grep '^loss ' out)"
hashes >older.hashes
cmp today.hashes older.hashes || fail "an older run does not go on as it was"
must resume large --steps 6 --model.loss_chunk 0
hashes >large.hashes
! cmp -s today.hashes large.hashes || fail "the chunk changes no bit, so that nothing was tested"

# A configuration that was changed by hand is said.
sed -i 's/^  lr: 0.1$/  lr: 0.2/' changed/config.yaml
must resume changed --steps 41
grep -q 'changed/config.yaml was changed since muonscope wrote it' err || fail "not said: $(cat err)"
grep -q 'step 40: muon.lr 0.1 -> 0.2' err || fail "not said which key: $(cat err)"

# Lines of another run, and lines that are lost.
cp -r one lines
cat one/metrics.jsonl >>lines/metrics.jsonl
sed -i '0,/^{"step":1,/{/^{"step":1,/d}' lines/spectra.jsonl
must resume lines
grep -q 'lines/metrics.jsonl: dropped [0-9]* lines that say again what an earlier one says' err || fail "not said: $(cat err)"
grep -q 'lines/spectra.jsonl: 1 lines of snapshots up to the checkpoint are missing (the first: step 1)' err || fail "not said: $(cat err)"
cmp one/metrics.jsonl lines/metrics.jsonl || fail "the lines of another run are still there"

# A configuration that was cut or emptied is what is blamed, not what is then read.
cp -r one cut
damaged="cut/config.yaml is damaged or was changed: its last line, the hash of the others, is missing; .*state.json"
: >cut/config.yaml
refuse 1 "$damaged" "$muonscope" train --resume cut --steps 30
refuse 1 "$damaged" "$muonscope" train --preset micro --resume cut --steps 30
head -n 6 one/config.yaml >cut/config.yaml
refuse 1 "$damaged" "$muonscope" train --resume cut --steps 30
sed '$d' one/config.yaml >cut/config.yaml
must resume cut
grep -q 'cut/config.yaml was changed since muonscope wrote it: its last line, the hash of the others, is missing' err ||
    fail "not said: $(cat err)"

# A damaged newest checkpoint: the message has the command that goes on from an older one.
must resume straight --steps 60 --checkpoint.keep 3
hashes >straight.hashes
printf x | dd of=straight/checkpoints/step_00000060/model.safetensors bs=1 seek=5000 conv=notrunc status=none
refuse 1 "intact one is of step 50: --resume straight --step 50$" "$muonscope" train --resume straight
must resume straight --step 50
hashes >again.hashes
cmp straight.hashes again.hashes || fail "from step 50 it ends with other hashes"
grep -q 'removed 1 checkpoints of steps after 50' err || fail "did not say what was removed: $(cat err)"
refuse 1 "no checkpoint of step 7" "$muonscope" train --resume straight --step 7
refuse 2 "step: -1 is negative" "$muonscope" train --resume straight --step -1
refuse 2 "step: -1 is negative" "$muonscope" generate straight --step -1

# The command that a message suggests is fit for a shell, whatever the run is called.
odd="q r;s' t"
cp -r straight "$odd"
printf x | dd of="$odd/checkpoints/step_00000060/model.safetensors" bs=1 seek=5000 conv=notrunc status=none
refuse 1 "the newest intact one is of step 50: --resume 'q r;s'" "$muonscope" train --resume "$odd"
suggested=$(tail -n 1 err | sed 's/.*is of step 50: //')
must eval "program train $suggested"

# A run that has made more steps than are asked for.
must resume straight --steps 10
grep -q "nothing to do: straight has made 60 steps, and 10 are asked for; more with --steps, fewer .* with --step" err || fail "not said: $(cat err)"
fingerprint straight | grep -v run.log >straight.before
must resume straight --steps 40 --step 50
grep -q "nothing to do: the checkpoint named in straight has made 50 steps, and 40 are asked for; the run is left as it is, with 1 " err ||
    fail "not said: $(cat err)"
fingerprint straight | grep -v run.log >straight.after
cmp straight.before straight.after || fail "a run with nothing to do was changed"
cat again.hashes
