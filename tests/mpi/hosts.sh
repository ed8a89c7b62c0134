# Hosts without machines, for scripts of this folder, which source it with their path, PROGRAM, MODULE and MPIRUN instead of support.sh.  Each host
# has a network, a name and mounts of its own, in namespaces; they meet at a bridge, whose ports are slowed or cut.  The whole script
# has processes of its own, which end with it, however that ends.  Needs root; without it the test is skipped.
#   hosts_make a b          makes hosts of these names
#   on HOST COMMAND...      runs it there, in $scratch
#   link_rate HOST RATE [QUEUE]   what HOST sends and what it is sent, in units of tc: 100mbit; QUEUE: what waits for the link, 100ms of it
#   link_cut HOST           nothing comes through any more, and nobody is told; link_mend HOST
#   across PLACES N OPTIONS...   `train` by N ranks, as `ranks`; PLACES: how many on which host, "a:2,b:1"; mpirun runs on the first
skip() {
    echo "SKIPPED: $1"
    exit 77
}
if [ -z "${HOSTS_OF_TEST:-}" ]; then
    [ "$(id -u)" -eq 0 ] || skip "hosts are namespaces, which only root can make"
    for tool in ip tc nsenter unshare; do
        command -v $tool >/dev/null || skip "no $tool (Debian: iproute2, util-linux)"
    done
    reason=$(unshare --net --uts --ipc --pid --fork --mount-proc true 2>&1) || skip "no namespaces here: $reason"
    HOSTS_OF_TEST=1 exec unshare --net --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi
. "$(dirname "$0")/support.sh"

# await COMMAND...: it succeeds within ten seconds.
await() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || return 1
        sleep 0.02
    done
}
runs() { [ "$(cat "/proc/$1/comm")" = "$2" ]; }

# The script's own network has the bridge.
hosts_make() {
    reason=$(ip link add bridge type bridge 2>&1) || skip "no bridge: $reason"
    ip link set bridge up
    ip link set lo up
    echo "127.0.0.1 localhost" >hosts.list
    number=0
    for host; do
        number=$((number + 1))
        echo "10.77.0.$number $host" >>hosts.list
    done
    number=0
    for host; do
        number=$((number + 1))
        unshare --net --uts --ipc --mount sleep infinity &
        await runs $! sleep || fail "no namespaces"
        echo $! >"holder.$host"
        ip link add name "$host" type veth peer name eth0 netns $!
        ip link set dev "$host" master bridge up
        on "$host" sh -e -c '
            hostname "$1"
            mount --bind hosts.list /etc/hosts
            mount -t tmpfs none /dev/shm
            ip link set lo up
            ip address add "10.77.0.$2/24" dev eth0
            ip link set eth0 up' sh "$host" $number
    done
    # What launchers run for ssh: AGENT [OPTIONS] HOST COMMAND...  Like ssh, it brings no environment, but for which kernels OpenBLAS is to take:
    # spectra to the byte are those of one kind of processor.
    cat >agent <<END
#!/bin/sh
while case \$1 in -*) true ;; *) false ;; esac do shift; done
holder=\$(cat "$scratch/holder.\$1")
shift
exec env -i PATH="\$PATH" TMPDIR=/dev/shm \$(env | grep '^OPENBLAS_') nsenter --target "\$holder" --net --uts --ipc --mount sh -c "cd '$scratch' && \$*"
END
    chmod +x agent
}

on() {
    holder=$(cat "holder.$1")
    shift
    TMPDIR=/dev/shm nsenter --target "$holder" --net --uts --ipc --mount sh -c 'cd "$0" && exec "$@"' "$scratch" "$@"
}

link_rate() {
    tc qdisc replace dev "$1" root tbf rate "$2" burst 64kb latency "${3:-100ms}"
    on "$1" tc qdisc replace dev eth0 root tbf rate "$2" burst 64kb latency "${3:-100ms}"
}
link_cut() { ip link set dev "$1" nomaster; }
link_mend() { ip link set dev "$1" master bridge; }

# The launcher's options for these places.
places() {
    if "$launcher" --version 2>&1 | grep -q 'Open \?\(MPI\|RTE\)'; then
        echo "--host $1 --mca plm_rsh_agent $scratch/agent --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0" \
            "-x MUONSCOPE_MPI_MODULE"
    else
        # UCX sees that hosts are one kernel, and would go around the network.
        echo "-hosts $1 -launcher ssh -launcher-exec $scratch/agent -genv UCX_TLS tcp,self"
    fi
}

across() {
    where=$1 n=$2
    shift 2
    on "${where%%:*}" timeout 60 "$launcher" $(places "$where") -n "$n" "$muonscope" train "$@" >out 2>err
}
