#!/bin/bash
# What lies in a run's folder, or in the current one, is not what it seems: links, pipes, names that gnuplot would run, libraries.
. "$(dirname "$0")/support.sh"
trap 'jobs -p | xargs -r kill -KILL 2>/dev/null || true; rm -rf "$scratch"' EXIT
tiny="--track_manifold false --steps 2"

# untouched FOLDER: the file in it is there, as it was.
untouched() {
    [ "$(cat "$1/precious")" = precious ] || fail "$1/precious was changed or removed"
}
precious() {
    mkdir -p "$1"
    echo precious >"$1/precious"
}

echo "-- checkpoints that are links: pruned, replaced, left unfinished"
must micro --run linked $tiny --checkpoint.every 1 --checkpoint.keep 5
for step in 00000000 00000001 00000003 99999999.tmp; do
    precious "behind_$step"
    rm -rf "linked/checkpoints/step_$step"
    ln -s "$scratch/behind_$step" "linked/checkpoints/step_$step"
done
rm linked/checkpoints/step_00000003
must resume linked --steps 2 --checkpoint.keep 1
ln -s "$scratch/behind_00000003" linked/checkpoints/step_00000003
refuse 1 "checkpoint linked/checkpoints/step_00000003: it is a symbolic link.*one is of step 2: --resume linked --step 2" "$muonscope" train --resume linked --steps 4
rm linked/checkpoints/step_00000003
must resume linked --steps 4 --checkpoint.every 1 --checkpoint.keep 1
for step in 00000000 00000001 00000003 99999999.tmp; do untouched "behind_$step"; done
[ "$(ls linked/checkpoints)" = step_00000004 ] || fail "left: $(ls linked/checkpoints)"

echo "-- logs and temporary files that are links"
must micro --run r $tiny
cp -r r logs
for file in plots/loss.gp plots/loss.gp.tmp plots/loss.png.tmp plots/loss.svg.tmp metrics.jsonl.tmp config.yaml.tmp; do
    name=$(echo "$file" | tr / _)
    precious "behind_$name"
    ln -s "$scratch/behind_$name/precious" "logs/$file"
done
must resume logs --steps 3
must program plot logs --only loss
for folder in behind_*; do untouched "$folder"; done
for log in run.log metrics.jsonl; do
    cp -r r one_log
    precious "behind_$log"
    mv "one_log/$log" saved
    ln -s "$scratch/behind_$log/precious" "one_log/$log"
    case $log in
    run.log) refuse 1 "one_log/run.log: it is a symbolic link" "$muonscope" train --resume one_log --steps 3 ;;
    metrics.jsonl) # what it leads to has no lines of steps: it is written anew, in the link's place
        must resume one_log --steps 3
        [ ! -L one_log/metrics.jsonl ] || fail "the link in place of metrics.jsonl was kept"
        ;;
    esac
    untouched "behind_$log"
    rm -r one_log
done
precious behind_plots
cp -r r no_plots
rm -r no_plots/plots
ln -s ../behind_plots no_plots/plots
refuse 1 "no_plots/plots: a symbolic link is in the way" "$muonscope" plot no_plots --only loss
refuse 1 "no_plots/plots: a symbolic link is in the way" "$muonscope" train --resume no_plots --steps 3

echo "-- names that gnuplot would run, and its start-up file"
mkdir home
echo "system 'touch $scratch/started'" >home/.gnuplot
for name in "|touch ran;" "<touch ran;" "it's" "it\"s \`touch ran\`" "-e" "-dash" "--only" "a
b"; do
    mkdir -p "names/$name"
    cp -r r/* "names/$name/"
    (cd names && HOME=$scratch/home GNUTERM=nothing must program plot --only loss -- "$name")
    [ -s "names/$name/plots/loss.png" ] && [ -s "names/$name/plots/loss.svg" ] || fail "no picture in: $name"
done
[ -z "$(find . -name ran)" ] || fail "gnuplot ran the name of a folder"
[ ! -e started ] || fail "gnuplot read ~/.gnuplot"
[ -z "$(find names logs -name '*.tmp' -type d)" ] || fail "a folder that gnuplot worked in is left"

echo "-- one writer, in the folder that it began in"
# wait_for RUN: until it has logged steps.
wait_for() {
    for _ in $(seq 2400); do # beside others that sync, the first checkpoint can take long
        [ ! -e "$1/metrics.jsonl" ] || [ "$(wc -l <"$1/metrics.jsonl")" -lt 20 ] || return 0
        sleep 0.05
    done
    fail "$1 does not train"
}
long="--track_manifold false --steps 1000000 --validation.every 0"
"$muonscope" train --preset micro --run held $long >held.out 2>&1 &
held=$!
wait_for held
rm -f held/lock
refuse 1 "folder held is being written by another process" "$muonscope" train --resume held --steps 1000001
refuse 1 "run folder held exists" "$muonscope" train --preset micro --run held
kill -KILL $held
wait $held || true
for how in removed renamed replaced; do
    "$muonscope" train --preset micro --run $how $long --checkpoint.every 200 >$how.out 2>$how.err &
    run=$!
    wait_for $how
    mv $how $how.elsewhere
    case $how in
    removed) rm -rf $how.elsewhere || true ;; # a save may be at work
    replaced) cp -r r $how ;;
    esac
    status=0
    wait $run || status=$?
    [ $status -eq 1 ] || fail "exit status $status of a run whose folder was $how"
    grep -q "^muonscope: .*run folder $how was removed, renamed or replaced" $how.err || fail "it said: $(cat $how.err)"
    [ $how = replaced ] || [ ! -e $how ] || fail "a folder that was $how came back: $(find $how)"
done
[ "$(ls replaced/checkpoints)" = "$(ls r/checkpoints)" ] || fail "the run wrote into the folder that took its place"

echo "-- checkpoints, logs and settings that are removed or replaced while a run trains"
# interfered RUN MESSAGE COMMAND...: what a run says, and how it ends, when the command meets it in training.
interfered() {
    name=$1
    message=$2
    shift 2
    "$muonscope" train --preset micro --run "$name" --steps 1000000 --validation.every 0 --checkpoint.every 100 --checkpoint.keep 1 \
        >"$name.out" 2>"$name.err" &
    run=$!
    wait_for "$name"
    "$@"
    status=0
    wait $run || status=$?
    [ $status -eq 1 ] || fail "exit status $status after: $*"
    grep -q "^muonscope: .*$message" "$name.err" || fail "after $*: it said: $(cat "$name.err")"
}
# Every name that saving or pruning could take is there, behind a link in the place of the folder.
for step in $(seq 0 100 5000); do
    name=$(printf step_%08d "$step")
    precious "others/$name"
    precious "others/$name.tmp"
done
fingerprint others >others.before
swap() {
    mv swapped/checkpoints swapped/moved
    ln -s "$scratch/others" swapped/checkpoints
}
interfered swapped "swapped/checkpoints was removed, renamed or replaced" swap
fingerprint others >others.after
cmp others.before others.after || fail "the run wrote or removed behind the link"
[ "$(ls others | wc -l)" -eq 102 ] || fail "entries came or went behind the link: $(ls others)"
# In one step: a save may be at work.
remove_checkpoints() {
    mv no_checkpoints/checkpoints removed_checkpoints
    rm -rf removed_checkpoints || true
}
interfered no_checkpoints "no_checkpoints/checkpoints was removed" remove_checkpoints
[ ! -e no_checkpoints/checkpoints ] || fail "the folder that was removed came back"
for log in run.log metrics.jsonl spectra.jsonl; do
    interfered "no_$log" "no_$log/$log was removed" rm "no_$log/$log"
done
interfered no_config "no_config/config.yaml was removed" rm no_config/config.yaml
replace_config() {
    ln -s /dev/null null_config/new
    mv null_config/new null_config/config.yaml
}
interfered null_config "null_config/config.yaml was changed or replaced" replace_config
empty() { : >"$1"; }
interfered empty_config "empty_config/config.yaml was changed or replaced" empty empty_config/config.yaml
for log in metrics.jsonl spectra.jsonl; do
    interfered "cut_$log" "cut_$log/$log was cut while it was being written" empty "cut_$log/$log"
done

echo "-- files and pipes with the names of checkpoints, and pipes in checkpoints"
cp -r r stray
touch stray/checkpoints/step_00000030
mkfifo stray/checkpoints/step_00000031
must resume stray --steps 3
grep -q "warning: stray/checkpoints/step_00000030 (and 1 more) is no folder, and so no checkpoint" err || fail "no word: $(cat err)"
refuse 1 "step_00000030 is no folder" "$muonscope" train --resume stray --step 30
must resume stray --step 3 --steps 4
[ -e stray/checkpoints/step_00000030 ] || fail "a file that is no checkpoint was removed"
for file in state.json model.safetensors optimizer.safetensors; do
    rm -rf piped
    cp -r r piped
    rm "piped/checkpoints/step_00000002/$file"
    mkfifo "piped/checkpoints/step_00000002/$file"
    refuse 1 "$file: it is a pipe.*the newest intact one is of step 0: --resume piped --step 0$" timeout 20 "$muonscope" train --resume piped
done

echo "-- going back with something in the way, and copies that are damaged"
cp -r r back
ln -s "$scratch/others" back/spectra
fingerprint back | grep -v run.log >back.before
refuse 1 "back/spectra: a symbolic link is in the way" "$muonscope" train --resume back --step 0 --steps 9
fingerprint back | grep -v run.log >back.after
cmp back.before back.after || fail "a run that cannot go back was changed"
seq 4000 >text.txt
must program tokenizer train text.txt --vocab_size 257 --output small.json
must program data prepare text.txt --tokenizer small.json --output shards --validation_fraction 0.2 --document_bytes 64
must micro --run texts $tiny --data.directory shards --model.vocabulary 0 --sample.tokens 4
for file in dataset.json tokenizer.json; do
    rm texts/$file
    mkfifo texts/$file
    must timeout 60 "$muonscope" train --resume texts --steps 3 >out 2>err
    grep -q "^warning: the run's copy of $file was damaged: .*it is a pipe.* it was written again from shards" err || fail "no word: $(cat err)"
    must program generate texts --tokens 2
done

echo "-- pipes"
# pipe PATH COMMAND...: with a pipe there, the command ends by itself, with an error that names it.
pipe() {
    path=$1
    shift
    rm -rf "$path"
    mkfifo "$path"
    refuse 1 "$path: it is a pipe, not a regular file" timeout 20 "$muonscope" "$@"
}
for file in metrics.jsonl config.yaml; do
    cp -r r "pipe_$file"
    pipe "pipe_$file/$file" train --resume "pipe_$file" --steps 3
done
cp -r r pipe_plot
pipe pipe_plot/metrics.jsonl plot pipe_plot --only loss
seq 4000 >numbers.txt
mkdir folder
pipe folder/dataset.json data info folder
pipe tokenizer.pipe tokenizer encode --tokenizer tokenizer.pipe numbers.txt
pipe settings.yaml train --config settings.yaml --dry-run
# A corpus may be one.
must program tokenizer train numbers.txt --vocab_size 257 --output tokenizer.json
mkfifo corpus
cat numbers.txt >corpus &
must program data prepare corpus --output data --validation_fraction 0.2 --document_bytes 64
wait

echo "-- output files that are links to a device, a pipe or a descriptor"
mkfifo sink
for target in /dev/null /dev/stdout /dev/fd/1 sink .; do
    ln -s $target output
    refuse 1 "cannot write output: it is a link to a" "$muonscope" tokenizer train numbers.txt --vocab_size 257 --output output
    [ -L output ] || fail "the link to $target was replaced"
    rm output
done
[ -z "$(find . -name 'output*')" ] || fail "something was written: $(find . -name 'output*')"

echo "-- names that JSON cannot hold"
bad=$(printf 'a\377')
cp numbers.txt "$bad.txt"
prepare() { "$muonscope" data prepare --validation_fraction 0.2 --document_bytes 64 --output unnamed "$@"; }
refuse 1 'the name of shards "a\\xFF" is not UTF-8: JSON cannot hold it' prepare --name "$bad" numbers.txt
refuse 1 'the path of a text "a\\xFF\.txt" is not UTF-8: JSON cannot hold it' prepare numbers.txt "$bad.txt"
[ ! -e unnamed ] || fail "data were prepared: $(ls unnamed)"
refuse 2 "data.directory: 'a\\\\xFF' is not UTF-8" "$muonscope" train --preset micro --data.directory "$bad" --run unnamed
[ ! -e unnamed ] || fail "a run was begun"

echo "-- names of shards"
for name in ../data_train_000000.bin /etc/passwd .. . "" data/x; do
    rm -rf elsewhere
    cp -r data elsewhere
    sed -i "s|\"data_train_000000.bin\"|\"$name\"|" elsewhere/dataset.json
    refuse 1 "elsewhere/dataset.json: .*shard 0: \"$name\" is not the name of a file" "$muonscope" data info elsewhere
done

echo "-- libraries in the current folder"
mkdir libraries
printf '#include <stdio.h>\n__attribute__((constructor)) static void here(void) { puts("LOADED"); }\n' >libraries/planted.c
${CC:-cc} -shared -fPIC -o libraries/planted.so libraries/planted.c
for file in "$muonscope" "$(dirname "$muonscope")"/*.so*; do
    readelf -d "$file" | sed -n 's/.*(R[UN]*PATH).*\[\(.*\)\]/:\1:/p' >paths
    ! grep :: paths || fail "$file: an empty entry in its run path"
    readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^lib(c|m|muonscope)\.so' >>needed || true
done
for library in $(sort -u needed); do cp libraries/planted.so "libraries/$library"; done
cd libraries
unset LD_LIBRARY_PATH
must program --version
! grep LOADED out || fail "a library of the current folder was loaded"
MUONSCOPE_CUDA_MODULE=planted.so must program devices
! grep LOADED out || fail "a module was looked for in the current folder"
grep -q "MUONSCOPE_CUDA_MODULE=planted.so: a path is needed, ./planted.so" out || fail "no word of why: $(cat out)"
MUONSCOPE_CUDA_MODULE=./planted.so must program devices
grep -q LOADED out || fail "a module was not loaded by its path: this test would find nothing"
