#!/usr/bin/env bash
# Make .venv with everything the project needs; what is right already stays.
#
#   bash tools/setup_env.sh
#
# PYTHON names the interpreter (3.11), REDNET_CACHE where mmcv's wheel is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

stamp=.venv/.rednet-ready
wanted=$(cat requirements/*.txt tools/dev/build_mmcv.py setup.py | cksum)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  say "environment: .venv is ready"
  exit 0
fi

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3.11 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
fi
[ -n "$python" ] || fail "Python 3.11 was not found; install it, or name it: PYTHON=/path/to/python3.11 bash tools/setup_env.sh"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
  fail "$python is not Python 3.11, for which the requirements are pinned; name one: PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "$python has no venv module; install it, for instance with apt-get install python3.11-venv"

wheels=${REDNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rednet_mm}/wheels
ls "$wheels"/*/mmcv-*.whl >/dev/null 2>&1 || command -v c++ >/dev/null ||
  command -v g++ >/dev/null ||
  fail "no C++ compiler was found, and mmcv must be compiled; install one, for instance with apt-get install g++"

say "environment: making .venv (3 minutes, and 8 to 15 more to compile mmcv the first time on a machine)"
rm -f "$stamp"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

say "build tools"
pip install -q -r requirements/build.txt
say "torch (about 3 GB)"
pip install -q -r requirements/torch.txt
say "mmengine, OpenCV and the rest"
pip install -q -r requirements/runtime.txt -r requirements/dev.txt \
  -r requirements/docs.txt
pip install -q --no-deps -r requirements/openmmlab.txt -r requirements/detector.txt \
  -r requirements/encoders.txt

.venv/bin/python -c 'import cv2' 2>/dev/null ||
  fail "OpenCV does not load ($(.venv/bin/python -c 'import cv2' 2>&1 | tail -1)); on Debian: apt-get install libgl1 libglib2.0-0"

# mmcv has no wheel to download. One is built for each Python, torch and kind
# of machine, and kept in the user's cache.
kind=$(.venv/bin/python -c '
import sys, torch
from torch.utils.cpp_extension import CUDA_HOME
cuda = torch.cuda.is_available() and CUDA_HOME is not None
print("cp%d%d-torch%s-%s" % (*sys.version_info[:2], torch.__version__.split("+")[0],
                             "cuda" + torch.version.cuda if cuda else "cpu"))') ||
  fail "torch does not load in .venv; remove .venv and run this again"
wheels=$wheels/$kind
if ! ls "$wheels"/mmcv-*.whl >/dev/null 2>&1; then
  say "compiling mmcv into $wheels (8 to 15 minutes on 2 cores)"
  .venv/bin/python tools/dev/build_mmcv.py --out "$wheels"
fi
say "mmcv and this project"
pip install -q --no-deps --force-reinstall "$(ls -t "$wheels"/mmcv-*.whl | head -1)"
pip install -q --no-deps --no-build-isolation -e .
.venv/bin/python -W ignore -c 'import mmcv.ops, mmpose.apis, rednet_mm'
printf '%s\n' "$wanted" > "$stamp"
say "environment: ready"
