#!/usr/bin/env bash
# Tests a checkpoint as a Slurm job.
#
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
#
# In the environment: GPUS (8, all together), GPUS_PER_NODE (8), CPUS_PER_TASK
# (5), SRUN_ARGS (further options of srun), PORT (from the job's number).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
usage "${BASH_SOURCE[0]}" 4 $#

partition="$1" name="$2" config="$3" checkpoint="$4"
shift 4
with_srun "$partition" "$name" test.py "$config" "$checkpoint" "$@"
