#!/usr/bin/env bash
# Trains on several processes, one a GPU, or on the cores of a machine without.
#
#   tools/dist_train.sh CONFIG NPROC [options of train.py]
#
# Several machines: run it on each, with NNODES, NODE_RANK (0, 1, ...),
# MASTER_ADDR (the address of machine 0) and PORT (29500) in the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
usage "${BASH_SOURCE[0]}" 2 $#

config="$1" nproc="$2"
shift 2
with_torchrun "$nproc" train.py "$config" "$@"
