#!/bin/sh
# A training in a session of its own on core 1: job.sh NAME OPTIONS...
# The kernel groups processes by session, so that nice between sessions has
# no effect; the session of the training is given its core here.
export PYTHONPATH=$PWD OMP_NUM_THREADS=1
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296
mkdir -p work_dirs/memory
echo -10 > /proc/self/autogroup
exec taskset -c 1 .venv/bin/python -W ignore tools/memory/train.py "$@"
