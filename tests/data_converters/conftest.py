"""Builders of miniature source trees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from source_trees import (
    AFLW_TEST,
    AFLW_TRAIN,
    AFLW_TRAIN_2,
    LFW_NAMES,
    Aflw,
    annotate_helen,
    fill_video,
    helen_marks,
    write_picture,
)

REPOSITORY = Path(__file__).parents[2]

WIDTH, HEIGHT = 64, 48


def marks(shift: float = 0.0) -> np.ndarray:
    """68 keypoints on an ellipse, box from (12, 6) to (52, 42) plus shift."""
    angle = np.arange(68) * (2 * np.pi / 68)
    x, y = 32 + 20 * np.cos(angle), 24 + 18 * np.sin(angle)
    return np.stack([x, y], axis=1) + shift


def write_marks(path: Path, points: np.ndarray, base: int = 1) -> None:
    """Write a mark file without the code under test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{x!r} {y!r}' for x, y in (points + base).tolist()]
    head = ['version: 1', f'n_points:  {len(rows)}', '{']
    path.write_text('\n'.join([*head, *rows, '}', '']))


def gray(level: int) -> np.ndarray:
    """A flat BGR image of one gray level."""
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def write_image(path: Path, level: int = 128) -> None:
    """Write a flat image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Encoded by hand: imwrite knows no suffix .JPG on every platform.
    _, data = cv2.imencode(path.suffix.lower(), gray(level))
    path.write_bytes(data.tobytes())


class Tree:
    """A source folder that tests fill and a destination beside it."""

    def __init__(self, root: Path) -> None:
        self.src = root / 'src'
        self.dst = root / 'dst'
        self.src.mkdir()

    def avi(self, name: str, frames: int, annotated: int | None = None):
        """A video as released; frame i is of the gray level 10 + 30 * i."""
        folder = self.src / name
        (folder / 'annot').mkdir(parents=True)
        writer = cv2.VideoWriter(
            str(folder / 'vid.avi'),
            cv2.VideoWriter_fourcc(*'MJPG'),
            25,
            (WIDTH, HEIGHT),
        )
        for i in range(frames):
            writer.write(gray(10 + 30 * i))
        writer.release()
        for i in range(frames if annotated is None else annotated):
            self.annotate(name, f'{i + 1:06d}', marks(i))

    def extracted(
        self, name: str, stems=('000001', '000002'), suffix: str = '.jpg'
    ):
        """A video in the extracted layout."""
        for i, stem in enumerate(stems):
            write_image(self.src / name / 'imgs' / f'{stem}{suffix}')
            self.annotate(name, stem, marks(i))

    def still(self, name: str, shift: float = 0.0):
        """An image and its keypoints; name is relative to the source."""
        write_image(self.src / name)
        write_marks((self.src / name).with_suffix('.pts'), marks(shift))

    def annotate(self, name: str, stem: str, points: np.ndarray, base=1):
        """Write or replace one mark file of a video."""
        path = self.src / name / 'annot' / f'{stem}.pts'
        write_marks(path, points, base)

    def csv(self, text: str, name: str = 'list.csv') -> Path:
        """Write a list beside the source."""
        path = self.src.parent / name
        path.write_text(text)
        return path

    def left_behind(self) -> list[Path]:
        """JSON files and unfinished files in the destination."""
        found = self.dst.rglob('*')
        endings = ('.json', '.part')
        return [path for path in found if path.name.endswith(endings)]


@pytest.fixture
def tree(tmp_path):
    """An empty source folder with builders."""
    return Tree(tmp_path)


@pytest.fixture
def face():
    """The function that makes 68 keypoints with a shift."""
    return marks


@pytest.fixture
def load():
    """Reads a JSON file."""
    return lambda path: json.loads(Path(path).read_text())


@pytest.fixture
def command_line():
    """Runs a converter's command line in a process of its own."""

    def run(module: str, *arguments) -> subprocess.CompletedProcess:
        script = REPOSITORY / 'data_converters' / f'{module}.py'
        environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
        return subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )

    return run


@pytest.fixture
def vw(tree):
    """300-VW with the video 001 as released and 002 extracted."""
    tree.avi('001', frames=3)
    tree.extracted('002')
    return tree


@pytest.fixture
def clips(tree):
    """Folders of frames and keypoints of the videos one and two."""
    fill_video(tree.src / 'one')
    fill_video(tree.src / 'two')
    return tree


@pytest.fixture
def stills(tree):
    """Two faces of one image in afw, one face in lfpw, one beside them."""
    tree.still('afw/7_1.jpg')
    tree.still('afw/7_2.jpg', shift=1)
    tree.still('lfpw/image_0001.PNG', shift=2)
    tree.still('single.jpeg', shift=3)
    return tree


@pytest.fixture
def aflw(tree):
    """Two images for training, one with two faces, and one for testing."""
    source = Aflw(tree)
    for name in (AFLW_TRAIN_2, AFLW_TRAIN, AFLW_TEST):
        source.photo(name)
    source.face(40, AFLW_TRAIN)
    # A profile without the right half, 10 keypoints; no rectangle.
    profile = [*range(1, 4), *range(7, 10), 13, 14, 15, 18]
    source.face(39, AFLW_TRAIN, profile, shift=0.5, yaw=-1.0, rect=False)
    source.face(41, AFLW_TRAIN_2, yaw=None)
    source.face(42, AFLW_TEST, yaw=1.8)
    return source


@pytest.fixture
def lfw(tree):
    """Two images of one person and one of another, without keypoints."""
    for name in LFW_NAMES:
        write_picture(tree.src / name)
    return tree


@pytest.fixture
def helen(tree):
    """Two images for training, one for testing, and their keypoints."""
    names = {'train_1': '10_1', 'train_2': '9_2', 'test': '30_1'}
    annotation = tree.src / 'annotation'
    for i, (folder, stem) in enumerate(names.items()):
        write_picture(tree.src / folder / f'{stem}.jpg')
        annotate_helen(annotation, i + 1, stem, helen_marks(i))
    return tree
