#!/bin/sh
# Every command word of vukrosic/muon-llm-research: taken with its meaning, or answered with the word to use.
# Usage: reference_words.sh PROGRAM
. "$(dirname "$0")/support.sh"
n_words=0

# means WORD VALUE KEY SHOWN: `train --WORD VALUE` sets the key; with hyphens, and with "=", too.
means() {
    n_words=$((n_words + 1))
    for option in "--$1 $2" "--$(echo "$1" | tr _ -)=$2"; do
        # shellcheck disable=SC2086
        must program train --preset micro $option --help-config
        grep -q -F "  $3 = $4  " out || fail "$option: not $3 = $4, but: $(grep -F "  $3 = " out)"
    done
}

# refused COMMAND WORD PATTERN: with and without a value.
refused() {
    n_words=$((n_words + 1))
    refuse 2 "$1: --$2 of [a-z_]+\.py: .*$3" program "$1" "--$2"
    refuse 2 "$1: --$2 of [a-z_]+\.py: .*$3" program "$1" "--$2" x
}

# train_llm.py
means seed 137 train.seed 137
means muon_lr 0.03 muon.lr 0.03
means adamw_lr 0.0006 adamw.lr 0.0006
means train_tokens 8000000 train.tokens 8000000
refused train config_class "--preset NAME"
refused train config_yaml "--config FILE"
refused train load_checkpoint "--resume RUN"
refused train compile "leave it out"
means dataset_path data/mix data.directory '"data/mix"'
means eval_every 500 validation.every 500
means save_every 5000 checkpoint.every 5000
means batch_size 8 train.batch_sequences 8
means gradient_accumulation_steps 4 train.accumulation 4
means log_every 50 log.every 50
refused train num_workers "leave it out"
refused train warmup "leave it out"
refused train checkpoint_dir "--run DIR"
refused train raw_metrics_dir "--run DIR"
means track_manifold false tracker.enabled false
means optimizer adamw optimizer.name adamw
must micro --output_dir run --steps 2
[ -e run/metrics.jsonl ] || fail "--output_dir run made no run in run/"
must resume run --steps 3
refuse 2 "train: --resume needs a value: RUN" program train --resume
n_words=$((n_words + 2))
[ $n_words -eq 22 ] || fail "$n_words words of train_llm.py"

# track_manifold.py; its --resume is the one above
means tokens 2000000 train.tokens 2000000
refused train plot_only "muonscope plot RUN"
refused train metrics_file "muonscope plot RUN"
refused plot plot_only "muonscope plot RUN"
refused plot metrics_file "muonscope plot RUN"

# plot.py
refused plot experiment "muonscope plot RUN"
refused plot metric "--only NAME"
refuse 1 "run folder none does not exist" program plot --proj q --layers 0 none

# A wrong value is said of the word and of the key that it means.
refuse 2 "--batch_size: train.batch_sequences: 0 is out of range" program train --batch_size 0
refuse 2 "--muon_lr needs a value" program train --muon_lr
refuse 2 "plot: unknown option --muon_lr" program plot --muon_lr 1 run
