"""Films of photos: their layout and their marks."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import write_stills, write_videos

from data_converters.convert_300vw import convert
from data_converters.pts import read_pts

sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))

import make_clips

SIZE, FRAMES = 96, 4


@pytest.fixture
def call(tmp_path, monkeypatch):
    path = tmp_path / 'photos' / 'annotations' / 'val.json'
    write_stills(path, images=2)

    def run(*options):
        command = ['make_clips.py', str(path), str(tmp_path / 'films')]
        command += ['--frames', str(FRAMES), '--size', str(SIZE), *options]
        monkeypatch.setattr(sys, 'argv', command)
        make_clips.main()
        return tmp_path / 'films'

    return run


def test_photos_become_videos_of_300vw(call, tmp_path, capsys):
    films = call('--occluders', '0')
    assert '2 videos of 4 frames' in capsys.readouterr().out
    convert(
        films,
        tmp_path / 'converted',
        protocol='csv',
        subjects=films / 'subjects.csv',
    )
    marks = []
    for video in ('0001', '0002'):
        images = sorted((films / video / 'imgs').iterdir())
        assert len(images) == FRAMES
        assert cv2.imread(str(images[0])).shape == (SIZE, SIZE, 3)
        marks += [
            read_pts(films / video / 'annot' / f'{path.stem}.pts')
            for path in images
        ]
    # 1-based: the face's middle is near the crop's, (SIZE - 1) / 2 + 1, its
    # extent half the crop's; the camera moves by a tenth and a seventh.
    middle = np.mean([(m.max(0) + m.min(0)) / 2 for m in marks], 0)
    extent = np.mean([(m.max(0) - m.min(0)).max() for m in marks])
    assert np.abs(middle - (SIZE + 1) / 2).max() < 0.15 * SIZE
    assert 0.35 * SIZE < extent < 0.65 * SIZE
    # A camera that moves: no two frames alike.
    assert np.abs(np.diff(marks[:FRAMES], axis=0)).max((1, 2)).min() > 0.2


def test_a_folder_that_is_there_stays(call, tmp_path):
    (tmp_path / 'films').mkdir()
    with pytest.raises(SystemExit):
        call()
    assert not list((tmp_path / 'films').iterdir())


def test_photos_that_are_not_there_are_named(call, tmp_path, capsys):
    (tmp_path / 'photos' / 'annotations' / 'val.json').unlink()
    with pytest.raises(SystemExit):
        call()
    assert 'val.json does not exist; convert first' in capsys.readouterr().err
    assert not list(tmp_path.glob('films*'))


def test_degraded_videos_have_the_keypoints_of_the_picture(call, tmp_path):
    call('--occluders', '0', '--frames', '20')
    (tmp_path / 'films').rename(tmp_path / 'clean')
    shaken = call('--occluders', '0', '--frames', '20', '--degrade', 'shake')
    ways = []
    for number in range(1, 21):
        name = f'0001/annot/{number:06d}.pts'
        one = read_pts(tmp_path / 'clean' / name)
        two = read_pts(shaken / name)
        # All keypoints move by the same way.
        assert np.ptp(two - one, axis=0).max() < 2e-3
        ways.append((two - one)[0])
    assert np.abs(ways).max() > 0.5


def test_videos_are_degraded_as_they_are(call, tmp_path, monkeypatch, capsys):
    data = write_videos(tmp_path / 'videos', videos=2, frames=40)
    path = data / 'annotations' / 'all.json'
    ways: list[list[bytes]] = []
    for seed in ('0', '0', '1'):
        command = ['make_clips.py', str(path), str(tmp_path / 'hard')]
        command += ['--degrade', 'dark', 'compression', '--seed', seed]
        monkeypatch.setattr(sys, 'argv', command)
        make_clips.main()
        assert '2 videos of 40 frames' in capsys.readouterr().out
        images = sorted((tmp_path / 'hard').glob('*/imgs/*.jpg'))
        assert len(images) == 80
        content = [image.read_bytes() for image in images]
        (tmp_path / 'hard').rename(tmp_path / f'hard{len(ways)}')
        ways.append(content)
    assert ways[0] == ways[1] != ways[2]
