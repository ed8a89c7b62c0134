#!/bin/sh
# Ranks that Slurm's srun starts: one hash; SIGUSR1 before the time limit saves, and the job, queued again, goes on to the same end; a rank that is
# killed ends all.  Slurm and munge run here for this script alone: their files are in $scratch, their network is a namespace.
# Usage: slurm.sh PROGRAM MODULE MPIRUN     of an MPI that knows PMIx
for tool in slurmctld slurmd srun sbatch munged; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool (Debian: slurm-wlm, munge)"; exit 77; }
done
. "$(dirname "$0")/hosts.sh"

# Slurm finds no host whose only address is that of the loopback.
host=$(hostname)
ip link set lo up
ip link add name eth0 type bridge
ip address add 10.77.1.1/24 dev eth0
ip link set eth0 up
echo "10.77.1.1 $host" >hosts.list
mount --bind hosts.list /etc/hosts

chmod 755 "$scratch"
mkdir state spool log
head -c 128 /dev/urandom >munge.key
chmod 400 munge.key
munged --force --key-file="$scratch/munge.key" --socket="$scratch/munge.socket" --pid-file="$scratch/munge.pid" \
    --log-file="$scratch/log/munge" --seed-file="$scratch/munge.seed" >log/munged 2>&1 || skip "munged does not start: $(cat log/munged)"
cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$host(10.77.1.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$scratch/munge.socket
CredType=cred/munge
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/log/slurmctld
SlurmdLogFile=$scratch/log/slurmd
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
NodeName=$host NodeAddr=10.77.1.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF="$scratch/slurm.conf"
slurmctld -c
slurmd
is_idle() { sinfo -h -o %T 2>/dev/null | grep -q idle; }
await is_idle || { tail log/*; fail "the node is not ready"; }

# ---- one hash ----
must program train $twelve --run straight --steps 6
hashes >straight.hashes
for n in 2 3; do
    must srun --mpi=pmix -n $n -o out -e err "$muonscope" train $twelve --run run.$n --steps 6
    hashes >run.hashes
    cmp straight.hashes run.hashes || fail "another end by $n ranks of srun"
done

# ---- the time limit, and queued again: the job script of docs/cluster.md ----
cat >job <<END
#!/bin/sh
#SBATCH --nodes=1 --ntasks=2 --time=1 --signal=USR1@50 --requeue --output=$scratch/job.out --error=$scratch/job.err
srun --mpi=pmix "$muonscope" train $twelve --steps \$(cat "$scratch/steps") --run "$scratch/run" --resume "$scratch/run"
END
state_is() { scontrol show job "$job" 2>/dev/null | grep -qE "JobState=($1)"; }
# ends LIMIT: the job has ended before so many seconds are over.
ends() {
    seconds=0
    until state_is "COMPLETED|FAILED|TIMEOUT|CANCELLED"; do
        sleep 1
        seconds=$((seconds + 1))
        [ $seconds -lt "$1" ] || { tail job.out job.err log/slurm*; fail "the job goes on after $1 s"; }
    done
}
echo 1000000 >steps
job=$(sbatch --parsable job)
ends 150
scontrol show job "$job" | grep -E 'JobState|RunTime'
state_is FAILED || fail "the job was not ended by its signal"
tail -n 3 job.out job.err
grep -q 'exit code 138' job.err || fail "srun did not end with 128 + SIGUSR1"
step=$(last_checkpoint run)
[ "$step" -gt 0 ] || fail "nothing was saved"
echo $((step + 3)) >steps
await is_idle
rm -f job.out
scontrol requeue "$job"
seconds=0
until grep -q '^optimizer_state_sha256' job.out 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    [ $seconds -lt 200 ] || { scontrol show job "$job"; tail job.out job.err; fail "the job did not go on"; }
done
cp job.out out
hashes >again.hashes
must program train $twelve --run long --steps $((step + 3))
hashes >long.hashes
cmp again.hashes long.hashes || fail "another end of a job that was queued again"

# ---- a rank that is killed ----
rm -rf run
await is_idle
srun --mpi=pmix -n 3 -o out -e err "$muonscope" train $twelve --run run --steps 1000000 --parallel.timeout 2 --checkpoint.every 4 &
started=$!
moves() { ls run/checkpoints 2>/dev/null | grep -q '[1-9]'; }
await moves || fail "the run made no checkpoint"
for process in $(pgrep -x muonscope); do
    tr '\0' '\n' <"/proc/$process/environ" | grep -qx SLURM_PROCID=1 && kill -9 "$process"
done
begin=$(date +%s)
status=0
wait $started || status=$?
echo "a rank was killed: status $status, $(($(date +%s) - begin)) s; $(grep '^muonscope: ' err | head -n 1)"
[ $status -ne 0 ] || fail "exit status 0 after a rank was killed"
[ $(($(date +%s) - begin)) -lt 20 ] || fail "the others went on after a rank was killed"
[ -z "$(pgrep -x muonscope)" ] || fail "ranks are left"
