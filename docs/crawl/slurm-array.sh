#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Slurm array that crawls: each task is one shard, which offsets-builder reads from SLURM_ARRAY_TASK_ID and _COUNT.
#   sbatch --parsable slurm-array.sh                                   # prints the array's number
#   sbatch --dependency=afterok:NUMBER slurm-array.sh merge
# OFFSETS_DIR is on a file system that all nodes share. A task that is run again goes on where it was ended.
#SBATCH --job-name=offsets
#SBATCH --array=0-7
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=01:00:00
set -euo pipefail
: "${OFFSETS_DIR:=$HOME/offsets}"
mkdir -p "$OFFSETS_DIR"

if [ "${1:-crawl}" = merge ]; then
	# Of an array that sbatch makes of this file, too, one task is enough.
	[ "${SLURM_ARRAY_TASK_ID:-0}" = 0 ] || exit 0
	offsets-builder merge -d "$OFFSETS_DIR/offsets.db" "$OFFSETS_DIR"/shard-*.db
	exec offsets-builder verify -d "$OFFSETS_DIR/offsets.db"
fi

# Options of your own, such as --suite, are words.
read -r -a options <<<"${CRAWL_OPTIONS:-}"
exec offsets-builder crawl -d "$OFFSETS_DIR/shard-$SLURM_ARRAY_TASK_ID.db" debian --jobs=2 \
	--report="$OFFSETS_DIR/report-$SLURM_ARRAY_TASK_ID.json" "${options[@]}"
