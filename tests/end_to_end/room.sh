#!/bin/sh
# With any amount of address space, stack and descriptors the program does its work or says what is missing: it never waits for ever, and
# never ends by a signal.
. "$(dirname "$0")/support.sh"

# A limit in KiB; below some 70 MiB the loader itself gives up.
for limit in 80000 120000 200000 300000 400000 450000 500000 550000 600000 700000 1000000 1300000; do
    for arguments in --version "train --preset micro --steps 1 --threads 2 --run run_$limit"; do
        status=0
        # Two processors are enough to show it, and every machine that runs tests has them.
        (ulimit -v $limit && exec timeout 30 "$muonscope" $arguments) >out 2>err || status=$?
        case $status in
        0) ;;
        1) grep -q "memory\|address space" err || fail "$limit KiB, $arguments: no word of memory" ;;
        127) grep -q "shared librar" err || fail "$limit KiB, $arguments: exit status 127" ;;
        *) fail "$limit KiB, $arguments: exit status $status" ;;
        esac
        last=$status
    done
done
# The last limit is above what two threads need, unless this machine has many processors.
[ "$last" -eq 0 ] || OPENBLAS_NUM_THREADS=1 sh -c "ulimit -v $limit && exec '$muonscope' train --preset micro --steps 1 --threads 2 --run again" ||
    fail "$limit KiB are not enough"

# A limit that the program may raise itself is none.
work="train --preset micro --steps 2 --tracker.every 1 --threads 2"
for limit in 64 128 255; do
    refuse 1 "too small a stack: the limit is $limit KiB, 256 are needed; raise it .ulimit -s 256" \
        sh -c "ulimit -s $limit && exec '$muonscope' --version"
done
must sh -c "ulimit -s 256 && exec '$muonscope' $work --run stack_256" >out
must sh -c "ulimit -S -s 64 && exec '$muonscope' $work --run stack_soft" >out

refuse 1 "plenty/config.yaml: .*Too many open files: this process may have 8; raise the limit .ulimit -n" \
    sh -c "ulimit -n 8 && exec '$muonscope' $work --run plenty"
must sh -c "ulimit -S -n 8 && exec '$muonscope' $work --run descriptors" >out
