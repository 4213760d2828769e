#!/usr/bin/env bash
# One process a GPU on one or several nodes:
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options]
# NNODES, NODE_RANK, MASTER_ADDR and PORT come from the environment.
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$3" "$here/test.py" "$1" "$2" --launcher pytorch "${@:4}"
