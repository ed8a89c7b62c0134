#!/bin/sh
# The driver's compiled pipelines on disk: written, given to the driver the next time, and never given when the file is damaged,
# another driver's or half there.  The driver's part is played by fault_layer.c: software drivers keep nothing.
# Usage: pipeline_cache.sh PROGRAM FAULT_LAYER_FOLDER     where vulkan:0 works; the folder holds fault_layer.json
. "$(dirname "$0")/../end_to_end/support.sh"
layer_folder=$(realpath "$2")
export XDG_CACHE_HOME="$scratch/caches"
our_header=80 vulkan_header=32

# run BYTES: the program makes a few pipelines on a driver whose cache has this many bytes; `given`: what the driver was given.
run() {
    rm -f given
    VULKAN_CACHE="$scratch/given:$1" VK_ADD_LAYER_PATH="$layer_folder" VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_fault \
        must program verify --quick --ops-only --op fill --device vulkan:0
    [ -e given ] || fail "the layer saw no vkCreatePipelineCache"
}

# holds BYTES: the file on disk has a cache of this size in it.
holds() {
    size=$(stat -c %s "$file")
    [ "$size" -eq $((our_header + vulkan_header + $1)) ] || fail "the file has $size bytes, for a cache of $1"
}

# ignored WHAT: the file, which is not `good`, is not given to the driver, and is replaced.
ignored() {
    ! cmp -s "$file" good || fail "$1: nothing was changed"
    run 3000
    [ ! -s given ] || fail "$1: the driver was given $(stat -c %s given) bytes"
    cmp "$file" good || fail "$1: the file was not replaced"
    echo "$1: ignored and replaced"
}

# flip BYTE: one bit of the file.
flip() {
    value=$(od -An -tu1 -j "$1" -N1 "$file")
    printf "\\$(printf %o $((value ^ 1)))" | dd of="$file" bs=1 seek="$1" conv=notrunc 2>dd.err
}

echo "-- written, and read the next time"
run 1000
[ ! -s given ] || fail "without a file the driver was given something"
file=$(ls "$XDG_CACHE_HOME"/muonscope/*)
[ "$(echo "$file" | wc -l)" -eq 1 ] || fail "more than one file: $file"
holds 1000
inode=$(stat -c %i "$file")
run 1000
tail -c +$((our_header + 1)) "$file" | cmp - given || fail "the driver was not given what it gave"
[ "$(stat -c %i "$file")" = "$inode" ] || fail "written again with nothing new in it"
run 3000
[ "$(stat -c %s given)" -eq $((vulkan_header + 1000)) ] || fail "the smaller cache was not given to the driver"
holds 3000
cp "$file" good

echo "-- damaged"
for length in 0 1 79 80 100 112 $((our_header + vulkan_header + 2999)); do
    head -c $length good >"$file"
    ignored "truncated to $length bytes"
done
echo >>"$file"
ignored "one byte longer"
for byte in 0 8 16 79 80 111 112 3111; do
    flip $byte
    ignored "a bit of byte $byte flipped"
done
tail -c +$((our_header + 1)) good >"$file"
ignored "without our header"

# foreign BYTE: whole, but the driver's header differs.
foreign() {
    cp good "$file"
    flip $((our_header + $1))
    tail -c +$((our_header + 1)) "$file" >driver_bytes
    { head -c 16 good && sha256sum driver_bytes | head -c 64 && cat driver_bytes; } >"$file"
    ignored "$2"
}
foreign 4 "another version of the header"
foreign 8 "another vendor's"
foreign 12 "another device's"
foreign 16 "another driver's UUID"
cp good "$file"
run 3000
tail -c +$((our_header + 1)) good | cmp - given || fail "the good file is not given any more"

echo "-- processes that close at once"
rm "$file"
for i in 1 2 3; do
    mkdir $i
    (cd $i && VULKAN_CACHE="$scratch/$i/given:3000" VK_ADD_LAYER_PATH="$layer_folder" VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_fault \
        must program verify --quick --ops-only --op fill --device vulkan:0) &
    processes="${processes:-} $!"
done
for process in $processes; do
    wait "$process" || fail "one of three processes failed"
done
cmp "$file" good || fail "three processes damaged the file"
[ "$(ls "$XDG_CACHE_HOME/muonscope" | wc -l)" -eq 1 ] || fail "left beside the cache: $(ls "$XDG_CACHE_HOME/muonscope")"

echo "-- nowhere to write"
echo "in the way" >no_folder
XDG_CACHE_HOME="$scratch/no_folder" run 3000
[ ! -s given ] || fail "the driver was given something"
rm "$file"
mkdir "$file"
run 3000
[ ! -s given ] || fail "a folder was given to the driver"
[ -d "$file" ] || fail "the folder in the file's place is gone"
