#!/bin/sh
# Trainings one after the other: lines of work_dirs/memory/queue.txt, which
# may be added to meanwhile.
touch work_dirs/memory/queue.txt
while [ ! -e work_dirs/memory/stop ]; do
  line=$(head -n 1 work_dirs/memory/queue.txt)
  if [ -z "$line" ]; then sleep 5; continue; fi
  sed -i 1d work_dirs/memory/queue.txt
  sh tools/memory/job.sh $line > /tmp/memory_$(echo $line | cut -d' ' -f1).out 2>&1
done
