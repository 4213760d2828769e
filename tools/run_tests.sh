#!/usr/bin/env bash
# All checks: environment, ruff, types, documentation, tests.
#
#   bash tools/run_tests.sh            (then: about 4 minutes on 2 cores)
#   bash tools/run_tests.sh --slow     (the slow tests alone: 15 minutes)
#
# The first run on a machine also makes .venv and compiles mmcv: 10 to 20
# minutes more. Arguments go to pytest: `-k tracker`, a file, `-n 4` where
# there are more cores. Slow are many variants of the network, what measures,
# fuzzes and kills, and what is run in several processes; `.ci/run` runs both.
set -euo pipefail
cd "$(dirname "$0")/.."
# Threads that wait give way to other programs on a busy machine.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

bash tools/setup_env.sh
if [ "${1:-}" = --slow ]; then
  shift
  step 'slow tests'
  # Their names as they end; a worker without work takes over from the other.
  exec .venv/bin/python -m pytest -m slow -vv --dist worksteal "$@"
fi
step ruff
.venv/bin/ruff check .
.venv/bin/ruff format --check .
step types
.venv/bin/mypy
step documentation
# Broken links, pages outside the menu and bad docstrings are errors (with
# --quiet they would not be counted).
NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict
step tests
exec .venv/bin/python -m pytest "$@"
