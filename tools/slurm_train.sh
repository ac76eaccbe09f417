#!/usr/bin/env bash
# Trains as a Slurm job.
#
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]
#
# In the environment: GPUS (8, all together), GPUS_PER_NODE (8), CPUS_PER_TASK
# (5), SRUN_ARGS (further options of srun), PORT (from the job's number).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
usage "${BASH_SOURCE[0]}" 3 $#

partition="$1" name="$2" config="$3"
shift 3
with_srun "$partition" "$name" train.py "$config" "$@"
