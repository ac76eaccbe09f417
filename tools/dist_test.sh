#!/usr/bin/env bash
# Tests a checkpoint on several processes.
#
#   tools/dist_test.sh CONFIG CHECKPOINT NPROC [options of test.py]
#
# Several machines: run it on each, with NNODES, NODE_RANK (0, 1, ...),
# MASTER_ADDR (the address of machine 0) and PORT (29500) in the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
usage "${BASH_SOURCE[0]}" 3 $#

config="$1" checkpoint="$2" nproc="$3"
shift 3
with_torchrun "$nproc" test.py "$config" "$checkpoint" "$@"
