# Sourced by the dist_*.sh and slurm_*.sh scripts.
TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PYTHON="${PYTHON:-python}"

# usage SCRIPT NEEDED GIVEN: ends with the comment at SCRIPT's top where fewer
# arguments are given than needed.
usage() {
    if [ "$3" -lt "$2" ]; then
        sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$1" >&2
        exit 2
    fi
}

# with_torchrun NPROC SCRIPT ARGS...: NPROC processes of a tool on this machine.
with_torchrun() {
    local nproc="$1" script="$2"
    shift 2
    if ! [ "$nproc" -ge 1 ] 2>/dev/null; then
        echo "NPROC is '$nproc', not a number of processes" >&2
        exit 2
    fi
    local cores
    cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo "$nproc")"
    # torchrun's own default is one thread, which wastes cores without a GPU.
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((cores > nproc ? cores / nproc : 1))}"

    # torchrun's own, and SIGUSR1, at which a training saves its state, too; later versions of torch
    # read the second name
    export TORCHELASTIC_SIGNALS_TO_HANDLE="${TORCHELASTIC_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}"
    export PET_SIGNALS_TO_HANDLE="${PET_SIGNALS_TO_HANDLE:-$TORCHELASTIC_SIGNALS_TO_HANDLE}"

    local nnodes="${NNODES:-1}" where
    if [ "$nnodes" = 1 ] && [ -z "${PORT:-}" ]; then
        where=(--standalone) # any free port
    else
        where=(--node_rank="${NODE_RANK:-0}" --master_port="${PORT:-29500}"
            --master_addr="${MASTER_ADDR:-127.0.0.1}")
    fi
    exec "$PYTHON" -m torch.distributed.run --nnodes="$nnodes" "${where[@]}" \
        --nproc_per_node="$nproc" "$TOOLS/$script" "$@" --launcher pytorch
}

# with_srun PARTITION JOB_NAME SCRIPT ARGS...: a tool as tasks of a Slurm job.
with_srun() {
    local partition="$1" name="$2" script="$3"
    shift 3
    local gpus="${GPUS:-8}"
    local per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    # All tasks of a job, and no two jobs on a node, meet at one port: the job's
    # number is known to the tasks only, hence the shell around python.
    # SRUN_ARGS holds several arguments, so it stays unquoted.
    # shellcheck disable=SC2086,SC2016
    exec srun --partition="$partition" --job-name="$name" \
        --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        bash -c 'export MASTER_PORT="${PORT:-$((20000 + SLURM_JOB_ID % 20000))}"
                 exec "$@"' task \
        "$PYTHON" -u "$TOOLS/$script" "$@" --launcher slurm
}
