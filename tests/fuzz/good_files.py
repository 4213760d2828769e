"""Good content for every reader, in a folder of its own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / 'data_converters'))

from builders import face_shape, write_stills, write_videos
from source_trees import (
    AFLW_TEST,
    AFLW_TRAIN,
    LFW_GOOD,
    LFW_HEADER,
    LFW_NAMES,
    Aflw,
    annotate_helen,
    fill_video,
    helen_marks,
    lfw_ten,
    write_picture,
)

from data_converters.pts import write_pts


def make_pts(root: Path) -> Path:
    path = root / 'src' / 'a.pts'
    path.parent.mkdir()
    write_pts(path, face_shape())
    return path


def make_helen(root: Path) -> Path:
    src = root / 'src'
    write_picture(src / 'train_1' / '10_1.jpg')
    annotate_helen(src / 'annotation', 1, '10_1', helen_marks())
    return src / 'annotation' / '1.txt'


def make_lfw(root: Path) -> Path:
    for name in LFW_NAMES:
        write_picture(root / 'src' / name)
    path = root / 'src' / 'lfw_ffd_ann.txt'
    path.write_text(LFW_HEADER + ''.join(map(lfw_ten, LFW_NAMES)))
    return path


def make_lfw_seven(root: Path) -> Path:
    path = make_lfw(root)
    path.write_text(LFW_GOOD)
    return path


def make_subjects(root: Path) -> Path:
    write_videos(root / 'made', 2, 2)
    shutil.move(root / 'made' / 'source', root / 'src')
    shutil.rmtree(root / 'made')
    path = root / 'lists' / 'subjects.csv'
    path.parent.mkdir()
    path.write_text('video,subject,split\n001,A,train\n002,B,test\n')
    return path


def make_splits(root: Path) -> Path:
    for name in ('a', 'b'):
        write_picture(root / 'src' / f'{name}.jpg')
        write_pts(root / 'src' / f'{name}.pts', face_shape(48))
    path = root / 'src' / 'split.csv'
    path.write_text('file,split\na.jpg,train\nb.jpg,val\n')
    return path


def make_clips(root: Path) -> Path:
    for name in ('one', 'two'):
        fill_video(root / 'src' / name)
    path = root / 'src' / 'people.csv'
    path.write_text('video,subject,category,split\none,A,1,x\ntwo,B,,y\n')
    return path


def make_predicted_csv(root: Path) -> Path:
    make_stills(root)
    path = root / 'lists' / 'dlib.csv'
    head = ','.join(f'x{k},y{k}' for k in range(68))
    rows = [','.join(map(str, m.ravel())) for m in _marks(root)]
    lines = [f'images/all_{n}.jpg,{row}' for n, row in enumerate(rows)]
    path.write_text('\n'.join([f'file_name,{head}', *lines]))
    return path


def make_videos(root: Path) -> Path:
    write_videos(root / 'made', 2, 3, subjects=['A', 'B'])
    shutil.move(root / 'made' / 'data', root / 'data')
    frames = root / 'data' / 'frames'
    # The frames are links into the source, which goes.
    for link in list(frames.iterdir()):
        source = link.resolve()
        link.unlink()
        shutil.copytree(source, link)
    shutil.rmtree(root / 'made')
    path = root / 'data' / 'annotations' / 'all.json'
    _beside(path, root / 'data')
    return path


def make_stills(root: Path, points: int = 68) -> Path:
    path = root / 'data' / 'annotations' / 'all.json'
    write_stills(path, points=points, images=3, subjects=True, yaw=True)
    (root / 'lists').mkdir()
    _beside(path, root / 'data')
    return path


def _beside(path: Path, data: Path) -> None:
    """What a name may lead to: an image that is not to be read."""
    write_picture(data.parent / 'outside.jpg')
    write_video(data.parent / 'outside.avi', 'MJPG', 2)


def _marks(root: Path) -> np.ndarray:
    content = json.loads((root / 'data/annotations/all.json').read_text())
    faces = [face['keypoints'] for face in content['annotations']]
    return np.array(faces).reshape(len(faces), -1, 3)[..., :2]


def make_predicted_json(root: Path) -> Path:
    make_stills(root)
    path = root / 'lists' / 'dlib.json'
    frames = [
        dict(file_name=f'images/all_{n}.jpg', id=n + 1, keypoints=m.tolist())
        for n, m in enumerate(_marks(root) + 1)
    ]
    about = dict(version='1', boxes='its own')
    path.write_text(json.dumps(dict(name='x', about=about, frames=frames)))
    return path


def make_coco(root: Path) -> Path:
    path = make_predicted_json(root)
    results = [
        dict(image_id=n + 1, category_id=1, score=0.5, keypoints=flat)
        for n, flat in enumerate(
            np.pad(_marks(root), ((0, 0), (0, 0), (0, 1)))
            .reshape(3, -1)
            .tolist()
        )
    ]
    path.write_text(json.dumps(results))
    return path


def make_annotated(root: Path) -> Path:
    make_predicted_json(root)
    return root / 'data' / 'annotations' / 'all.json'


def write_video(path: Path, code: str, frames: int = 12) -> None:
    """A video of frames that grow lighter, 64 x 48."""
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*code), 25, (64, 48)
    )
    ramp = np.linspace(0, 90, 64 * 48 * 3).reshape(48, 64, 3)
    for number in range(frames):
        writer.write((ramp + 10 * number).astype(np.uint8))
    writer.release()


def make_video(suffix: str, code: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        path = root / 'src' / f'film{suffix}'
        path.parent.mkdir()
        write_video(path, code)
        write_video(root / 'outside.mp4', 'mp4v')
        return path

    return make


def make_image(suffix: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        path = root / 'src' / f'a{suffix}'
        path.parent.mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3))
        cv2.imwrite(str(path), noise.astype(np.uint8))
        write_pts(path.with_suffix('.pts'), face_shape(48))
        return path

    return make


def make_avi(root: Path) -> Path:
    folder = root / 'src' / '001'
    (folder / 'annot').mkdir(parents=True)
    for frame in range(3):
        write_pts(folder / 'annot' / f'{frame + 1:06d}.pts', face_shape(48))
    write_video(folder / 'vid.avi', 'MJPG', 4)
    write_video(root / 'outside.mp4', 'mp4v')
    return folder / 'vid.avi'


def make_database(root: Path) -> Path:
    tree = SimpleNamespace(
        src=root / 'src', dst=root / 'dst', left_behind=list
    )
    tree.src.mkdir()
    source = Aflw(tree)
    for number, name in enumerate((AFLW_TRAIN, AFLW_TEST)):
        source.photo(name)
        source.face(40 + number, name)
    write_picture(root / 'outside.jpg')
    return source.database
