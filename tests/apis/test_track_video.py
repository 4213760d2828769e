"""The command line that follows faces: its files, however a film ends."""

from __future__ import annotations

import csv
import functools
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_faces import SquareNetwork, frame, squares

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

import track_video

from rednet_mm.apis import (
    VideoWriter,
    read_frames,
)

FRAMES = 40


@pytest.fixture
def film(tmp_path):
    """A square that is not there from frame 20 to 24."""
    path = tmp_path / 'film.mp4'
    writer = VideoWriter(str(path), 25)
    for number in range(FRAMES):
        there = [(10 + number, 30)] if number // 5 != 4 else []
        writer.write(frame(*there, side=24))
    writer.close()
    return path


def _follow(folder, monkeypatch, source, *options, on_frame=None):
    """Run the tool; a function of frames can come between."""

    class Network(SquareNetwork):
        def run(self, crops, states, warps=None):
            if on_frame:
                on_frame(len(self.batches))
            return super().run(crops, states, warps)

    def network(config, checkpoint, device, precision, keep_maps):
        return Network()

    monkeypatch.setattr(track_video, 'TorchNetwork', network)
    monkeypatch.setattr(track_video, 'build_detector', lambda *wish: squares)
    monkeypatch.setattr(track_video, 'existing_config', str)
    outputs = [
        part
        for name in ('mp4', 'json', 'csv')
        for part in (
            f'--{"out" if name == "mp4" else name}',
            str(folder / f'a.{name}'),
        )
    ]
    command = ['track_video.py', str(source), '--config', 'config.py']
    command += ['--checkpoint', 'weights.pth', *outputs, *options]
    monkeypatch.setattr(sys, 'argv', command)
    track_video.main()


@pytest.fixture
def follow(tmp_path, monkeypatch):
    return functools.partial(_follow, tmp_path, monkeypatch)


def account(folder) -> dict:
    return json.loads((folder / 'a.json').read_text())


def length(film) -> int:
    with read_frames(str(film)) as reader:
        return len(list(reader))


def test_a_film_and_what_is_told_of_it(follow, film, tmp_path, capsys):
    sheet = tmp_path / 'new' / 'sheet.png'
    follow(film, '--sheet', str(sheet), '--draw', 'trajectories')
    assert '40 frames, a face in 35, 1 ids, 0 switches; complete' in (
        capsys.readouterr().out
    )
    data = account(tmp_path)
    assert data['source'] == str(film)
    assert data['fps'] == 25
    assert data['frame_size'] == [128, 96]
    assert data['ended'] == dict(how='complete')
    assert data['events'] == [
        dict(frame_id=0, kind='appeared', id=0),
        dict(frame_id=20, kind='lost', id=0),
        dict(frame_id=25, kind='returned', id=0),
    ]
    assert data['totals']['tracks'] == [
        dict(id=0, first=0, last=39, frames=35)
    ]
    assert [len(each['faces']) for each in data['frames']] == (
        [1] * 20 + [0] * 5 + [1] * 15
    )
    assert data['frames'][30]['time'] == pytest.approx(30 / 25)
    rows = list(csv.reader((tmp_path / 'a.csv').read_text().splitlines()))
    assert len(rows) == 1 + 35
    assert {len(row) for row in rows} == {9 + 2 * 7}
    assert length(tmp_path / 'a.mp4') == FRAMES
    assert cv2.imread(str(sheet)) is not None
    assert not list(tmp_path.glob('*.part.*'))


def test_first_box_is_where_it_begins(follow, film, tmp_path):
    follow(film, '--box', '9', '29', '26', '26')
    first = account(tmp_path)['frames'][0]['faces']
    assert [face['bbox'] for face in first] == [[9, 29, 26, 26]]


def test_a_stop_leaves_what_was_found(follow, film, tmp_path, capsys):
    def stop(number):
        if number == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        follow(film, on_frame=stop)
    assert ended.value.code == 130
    data = account(tmp_path)
    assert data['ended'] == dict(how='interrupted')
    assert len(data['frames']) == 10
    assert length(tmp_path / 'a.mp4') == 10
    assert '10 frames, a face in 10' in capsys.readouterr().out
    assert not list(tmp_path.glob('*.part.*'))


# Frames after which the run below goes on no more.
STUCK = 35


def _follow_and_get_stuck(folder, film):
    """In a process of its own, which is killed."""

    def on_frame(number):
        if number == STUCK:
            time.sleep(600)

    with pytest.MonkeyPatch.context() as patch:
        # The JSON is written anew after every frame.
        patch.setattr('rednet_mm.apis.track_log.SAVE_EVERY', 0.0)
        patch.setattr('rednet_mm.apis.track_log.SAVE_SHARE', float('inf'))
        _follow(folder, patch, film, on_frame=on_frame)


def test_a_killed_run_leaves_parts_that_can_be_used(film, tmp_path):
    process = multiprocessing.get_context('spawn').Process(
        target=_follow_and_get_stuck, args=(tmp_path, film), daemon=True
    )
    process.start()
    lines = tmp_path / 'a.part.jsonl'
    until = time.monotonic() + 120
    while time.monotonic() < until:
        # Some frames wait between decoding, network and writing.
        if lines.exists() and lines.read_text().count('\n') >= STUCK - 3:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    data = json.loads((tmp_path / 'a.part.json').read_text())
    assert data['ended'] == dict(how='running')
    assert STUCK - 5 <= len(data['frames']) < FRAMES
    # The film is whole but for what is after its last keyframe.
    assert 0 < length(tmp_path / 'a.part.mp4') < FRAMES


def test_an_image_that_is_damaged_is_named(follow, tmp_path, capsys):
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f'{number}.png'), frame((20, 20)))
    (folder / '3.png').write_bytes(b'nothing')
    with pytest.raises(SystemExit) as ended:
        follow(folder)
    assert ended.value.code == 2
    assert 'error:' in capsys.readouterr().err
    data = account(tmp_path)
    assert data['ended']['how'] == 'failed'
    assert '3.png' in data['ended']['why']
    assert len(data['frames']) == length(tmp_path / 'a.mp4') == 3


def test_a_film_that_breaks_off_is_told(follow, film, tmp_path):
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) * 6 // 10])
    follow(film)
    data = account(tmp_path)
    assert data['ended']['how'] == 'broken off'
    assert str(film) in data['ended']['why']
    assert 0 < len(data['frames']) == length(tmp_path / 'a.mp4') < FRAMES


def test_frames_of_other_sizes_do_not_stop_a_film(follow, tmp_path):
    folder = tmp_path / 'frames'
    folder.mkdir()
    image = frame((20, 20))
    large = image.repeat(2, 0).repeat(2, 1)
    for number, each in enumerate([image, large, image[..., 0]]):
        cv2.imwrite(str(folder / f'{number}.png'), np.ascontiguousarray(each))
    follow(folder)
    kinds = [each['kind'] for each in account(tmp_path)['events']]
    assert kinds == ['appeared', 'resized', 'resized']
    with read_frames(str(tmp_path / 'a.mp4')) as reader:
        assert {image.shape for image, _ in reader} == {(96, 128, 3)}


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--show'], 'there is no display'),
        (['--csv', 'a.txt'], r'ends in .csv'),
        (['--box', '1', '2', '0', '4'], 'is empty'),
        (['--tracker', 'min=1'], "no setting 'min'"),
        (['--onnx', 'a.onnx'], 'holds config and weights'),
    ],
)
def test_wrong_wishes_are_one_sentence(
    follow, film, tmp_path, monkeypatch, capsys, options, words
):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        follow(film, *options)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob('a.*'))
