#!/bin/sh
# Jobs one after the other on core 1: lines "train NAME OPTIONS" or "eval
# NAMES" of work_dirs/memory/queue.txt, which may be added to meanwhile.
Q=work_dirs/memory/queue.txt
export PYTHONPATH=$PWD OMP_NUM_THREADS=1
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296
echo ${NICE:-4} > /proc/self/autogroup
while [ ! -e work_dirs/memory/stop2 ]; do
  read -r kind line < $Q
  if [ -z "$kind" ]; then sleep 3; continue; fi
  sed -i 1d $Q
  case $kind in
    train) taskset -c 1 .venv/bin/python -W ignore tools/memory/train.py $line >> work_dirs/memory/out.txt 2>&1 ;;
    eval) taskset -c 1 .venv/bin/python -W ignore tools/memory/evaluate.py $line >> work_dirs/memory/eval.txt 2>&1 ;;
    run) taskset -c 1 .venv/bin/python -W ignore $line >> work_dirs/memory/run.txt 2>&1 ;;
  esac
done
