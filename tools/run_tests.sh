#!/usr/bin/env bash
# All checks: environment, ruff, types, tests.
#
#   bash tools/run_tests.sh            (then: about 5 minutes on 2 cores)
#
# The first run on a machine also makes .venv and compiles mmcv: 10 to 20
# minutes more. Arguments go to pytest: `-m slow` for the tests that are left
# out otherwise (every variant of the network; three stages, killed and run
# again), half an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
# Threads that wait give way to other programs on a busy machine.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
bash tools/setup_env.sh
printf '\n== ruff\n'
.venv/bin/ruff check .
.venv/bin/ruff format --check .
printf '\n== types\n'
.venv/bin/mypy
printf '\n== tests\n'
exec .venv/bin/python -m pytest "$@"
