# For kill.sh and data_kill.sh, PROGRAM KILLS STRIDE, which source it: SIGKILL at moments nobody chose, and at system calls.
. "$(dirname "$0")/support.sh"
kills=$2
stride=$3
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # which strace would keep from working
calls=open,openat,creat,write,writev,pwrite64,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,ftruncate
follow= # strace's -f, where the program has threads that are to run on

# kill_at_any_moment MICROSECONDS: until KILLS commands were killed within that time of their beginning, gives each again and again
# until one ends.  The script has `command_line`, which prints its arguments and may use $seed; `same_end`, which fails where what it
# made, `killed`, is not what one makes that is not killed; and, where a command does not go on with what is complete, `is_done`.
is_done() { false; }
kill_at_any_moment() {
    n_kills=0
    n_ends=0
    seed=1
    while [ "$n_kills" -lt "$kills" ]; do
        rm -rf killed
        n_ends=$((n_ends + 1))
        while :; do
            seed=$(((seed * 1103515245 + 12345) % 2147483648))
            delay=$(awk "BEGIN { print $1 * 1e-6 * $seed / 2147483648 }")
            status=0
            "$muonscope" $(command_line) >out 2>err &
            sleep "$delay"
            kill -KILL "$!" 2>/dev/null || true
            wait "$!" 2>/dev/null || status=$?
            [ "$status" -ne 0 ] || break
            [ "$status" -eq 137 ] || {
                cat err >&2
                fail "exit status $status after $n_kills kills: it needs a hand"
            }
            n_kills=$((n_kills + 1))
            if is_done; then break; fi # and killed after that
        done
        same_end
    done
    echo "$n_kills kills at any moment until $n_ends ends, all alike"
}

# list_calls ARGUMENTS...: "NAME:NUMBER" of the main thread's calls of $calls, from the first that names what it makes, `killed`, on and without
# those that print, into the file `list`; strace counts the calls of each name.
list_calls() {
    strace $follow -qq -o trace -e trace="$calls" -e signal=none "$muonscope" "$@" >out 2>err || fail "strace cannot trace here: $(cat err)"
    awk '
        {
            thread = match($0, /^[0-9]+ +/) ? substr($0, 1, RLENGTH) : ""
            call = substr($0, length(thread) + 1)
        }
        NR == 1 { main = thread }
        thread == main && call ~ /^[a-z0-9]+\(/ {
            name = call; sub(/\(.*/, "", name); n[name]++
            if (index(call, "\"killed")) found = 1
            if (found && call !~ /^write\([12],/) print name ":" n[name]
        }' trace >list
}
# strided_calls: every STRIDEth of the list.
strided_calls() {
    awk "NR % $stride == 1 % $stride" list
}
# kill_at CALL ARGUMENTS...: the program, killed at this call.
kill_at() {
    call=$1
    shift
    status=0
    strace $follow -qq -o trace -e trace="$calls" -e signal=none -e inject="${call%:*}:signal=SIGKILL:when=${call#*:}" \
        "$muonscope" "$@" >out 2>err || status=$?
    [ "$status" -eq 137 ] || fail "exit status $status of what is killed at $call"
}
