"""Miniature data sets in their original layouts, and their conversion.

The converters are called by the command lines that the README or a config
shows; each is one of :data:`COMMANDS`.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import cv2
import numpy as np
from builders import face_shape

from data_converters.splits import REDNET_TEST, REDNET_TRAIN

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tests' / 'data_converters'))

from source_trees import (  # noqa: E402
    LFW_HEADER,
    SEVEN_OF_FGNET,
    Aflw,
    lfw_row,
)

SIZE = 64
SEVEN_OF_68 = (36, 39, 42, 45, 30, 48, 54)


def write_photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    cv2.imwrite(str(path), rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))


def write_face(image: Path, number: int, base: int = 1, folder=None) -> None:
    """An image and its 68 keypoints, header and braces as released."""
    write_photo(image, number)
    marks = face_shape(SIZE) + 0.25 * (number % 8) + base
    rows = [f'{x:.3f} {y:.3f}' for x, y in marks]
    pts = (folder or image.parent) / f'{image.stem}.pts'
    pts.parent.mkdir(parents=True, exist_ok=True)
    pts.write_text('\n'.join(['version: 1', 'n_points:  68', '{', *rows, '}']))


def write_extracted(video: Path, frames: int, base: int = 1) -> None:
    """A video in the extracted layout of 300-VW."""
    for i in range(frames):
        image = video / 'imgs' / f'{i + 1:06d}.jpg'
        write_face(image, i, base, video / 'annot')


# -- one function a data set --------------------------------------------------


def aflw(src: Path) -> None:
    tree = Aflw(SimpleNamespace(src=src, dst=None, left_behind=None))
    # By the rule of the split 1, 3, 5 are for testing.
    for number in (2, 4, 6, 7, 1, 3, 5):
        tree.photo(f'image{number:05d}.jpg')
        tree.face(number, f'image{number:05d}.jpg', yaw=0.3 * (number % 4))


def lfw(src: Path) -> None:
    rows = []
    for number in range(6):
        name = f'P_{number}/P_{number}_0001.jpg'
        write_photo(src / name, number)
        seven = face_shape(SIZE)[list(SEVEN_OF_68)]
        eyes, mouth = seven[:4], seven[5:]
        nose = seven[4] + [[-3, 0], [3, 0]]
        lips = [mouth.mean(0) + [0, 3], mouth.mean(0) - [0, 3]]
        ten = [*eyes[:2], *mouth, *lips, *eyes[2:], *nose]
        # Relative to the corner of the box, as Dantone et al. have it.
        box = [10, 10, 44, 44]
        flat = np.ravel(np.array(ten) - box[:2]).round(2)
        rows.append(lfw_row(name, [*box, 0, 10, *flat]))
    (src / 'lfw_ffd_ann.txt').write_text(LFW_HEADER + ''.join(rows))


def stills(*folders: str) -> Callable[[Path], None]:
    def write(src: Path) -> None:
        for folder in folders:
            for number in range(4):
                write_face(src / folder / f'{folder}_{number}.jpg', number)

    return write


def vw(src: Path) -> None:
    for name in REDNET_TRAIN[:3]:
        write_extracted(src / name, 10)
    for name in REDNET_TEST[:2]:
        write_extracted(src / name, 3)


def ytfaces(src: Path) -> None:
    lines = ['video,subject,split']
    for number in range(5):
        write_extracted(src / f'V_{number}', 4, base=0)
        split = 'val' if number > 2 else 'train'
        lines.append(f'V_{number},S_{number},{split}')
    (src / 'subjects.csv').write_text('\n'.join(lines) + '\n')


def tiny(src: Path) -> None:
    with mock.patch.object(
        sys, 'argv', ['make', str(src), '--videos', '5', '--frames', '10']
    ):
        importlib.import_module('data_converters.make_tiny_300vw').main()


def talking_face(src: Path) -> None:
    """Marks in FGNET's order, from 0, frames from 0."""
    for number in range(3):
        image = src / f'franck_{number:05d}.jpg'
        write_photo(image, number)
        marks = face_shape(SIZE)
        own = np.full((68, 2), 32.0) + np.arange(68)[:, None] % 5
        own[list(SEVEN_OF_FGNET)] = marks[list(SEVEN_OF_68)] + number / 4
        rows = [f'{x:.3f} {y:.3f}' for x, y in own]
        text = '\n'.join(['version: 1', 'n_points: 68', '{', *rows, '}'])
        image.with_suffix('.pts').write_text(text)


def face_movies(src: Path) -> None:
    lines = ['video,subject']
    for name in ('one', 'two'):
        for number in range(3):
            write_face(src / name / f'{name}_{number:04d}.jpg', number)
        lines.append(f'{name},{name}')
    # The list lies where the command line is said.
    Path('people.csv').write_text('\n'.join(lines) + '\n')


def real_aflw(sample: Path, src: Path) -> None:
    """Two real images with MMPose's 19 keypoints, as AFLW is released.

    One is there twice, under a name that the split takes for testing.
    """
    tree = Aflw(SimpleNamespace(src=src, dst=None, left_behind=None))
    content = json.loads((sample / 'test_aflw.json').read_text())
    files = {each['id']: each['file_name'] for each in content['images']}
    # Without the ears, feature_ids 13 and 17.
    features = [i for i in range(1, 22) if i not in (13, 17)]
    faces = [
        (face, Path(files[face['image_id']]).name)
        for face in content['annotations']
    ]
    faces.append((faces[0][0], 'image00001.jpg'))
    for number, (face, name) in enumerate(faces, 1):
        tree.photo(name)
        photo = sample / files[face['image_id']]
        height, width = cv2.imread(str(photo)).shape[:2]
        for field, value in (('width', width), ('height', height)):
            tree.change(
                f"FaceImages SET {field} = ? WHERE file_id = '{name}'", value
            )
        (tree.data / 'flickr' / '3' / name).write_bytes(photo.read_bytes())
        marks = np.reshape(face['keypoints'], (19, 3))
        rows = [
            (number, feature, x, y, 0)
            for feature, (x, y, seen) in zip(features, marks.tolist())
            if seen
        ]
        tree.insert('Faces', (number, name, 'flickr'))
        tree.insert('FeatureCoords', *rows)
        tree.insert('FacePose', (number, 0.0, 0.0, 0.3, 1))


# Folder in data/: who fills the source, and the command as it is written.
COMMANDS = {
    'aflw': (aflw, 'convert_aflw.py SRC data/aflw'),
    'lfw': (lfw, 'convert_lfw.py SRC data/lfw --marks lfw_ffd_ann.txt'),
    'helen': (
        stills('trainset', 'testset'),
        'convert_300w.py SRC data/helen --protocol helen',
    ),
    'lfpw': (
        stills('trainset', 'testset'),
        'convert_300w.py SRC data/lfpw --protocol lfpw',
    ),
    '300w': (
        stills('afw', 'helen_train', 'lfpw_train', 'ibug'),
        'convert_300w.py SRC data/300w --lists --val 7',
    ),
    '300vw': (vw, 'convert_300vw.py SRC data/300vw --protocol rednet'),
    'ytfaces': (
        ytfaces,
        'convert_300vw.py SRC data/ytfaces --base 0 --protocol csv '
        '--subjects SRC/subjects.csv',
    ),
    'tiny300vw': (
        tiny,
        'convert_300vw.py SRC data/tiny300vw --protocol csv '
        '--subjects SRC/subjects.csv',
    ),
    'talking_face': (
        talking_face,
        'convert_frames.py SRC data/talking_face --protocol talking_face '
        '--fps 25',
    ),
    'face_movies': (
        face_movies,
        'convert_frames.py SRC data/face_movies --protocol face_movies '
        '--subjects people.csv',
    ),
}


def documented() -> str:
    """What README, docs and configs say, on one line."""
    files = [ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')]
    files += (ROOT / 'configs').rglob('*.py')
    text = ' '.join(path.read_text() for path in files).replace('\\', ' ')
    # Sources have names of their own in some places.
    text = re.sub(r'/path/to/\w+|data/tiny300vw_src', 'SRC', text)
    return ' '.join(text.split())


def run_converter(command: str, src: Path) -> None:
    """A command line of :data:`COMMANDS`, in this process."""
    script, *words = shlex.split(command.replace('SRC', str(src)))
    module = importlib.import_module(f'data_converters.{script[:-3]}')
    with mock.patch.object(sys, 'argv', [script, *words]):
        module.main()


def convert_all(root: Path) -> Path:
    """Every data set, from its source to ``root/data``."""
    with chdir(root):
        for name, (write, command) in COMMANDS.items():
            src = root / 'sources' / name
            src.mkdir(parents=True)
            write(src)
            run_converter(command, src)
    return root
