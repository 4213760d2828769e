"""Tests of the synthetic stand-in for 300-VW."""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_converters import make_tiny_300vw as tiny
from data_converters.errors import DataError
from data_converters.pts import read_pts

WISH = {'videos': 4, 'frames': 6, 'size': 96, 'seed': 3}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    dst = tmp_path_factory.mktemp('tiny') / 'set'
    return dst, tiny.make(dst, **WISH)


def frames_of(folder):
    video, frames = cv2.VideoCapture(str(folder / 'vid.avi')), []
    while True:
        good, frame = video.read()
        if not good:
            return frames
        frames.append(frame)


def marks_of(folder):
    return [read_pts(p) for p in sorted((folder / 'annot').iterdir())]


def bytes_of(dst):
    files = sorted(p for p in dst.rglob('*') if p.is_file())
    return {str(p.relative_to(dst)): p.read_bytes() for p in files}


def test_layout_and_counts(made):
    dst, folders = made
    assert [f.name for f in folders] == ['001', '002', '003', '004']
    names = {'001', '002', '003', '004', 'subjects.csv', 'README.txt'}
    assert {p.name for p in dst.iterdir()} == names
    assert not dst.with_name('set.part').exists()
    for folder in folders:
        assert {p.name for p in folder.iterdir()} == {'annot', 'vid.avi'}
        marks = sorted(p.name for p in (folder / 'annot').iterdir())
        assert marks == [f'{i:06d}.pts' for i in range(1, 7)]
        frames = frames_of(folder)
        assert len(frames) == 6
        assert all(frame.shape == (96, 96, 3) for frame in frames)


def test_readme_says_what_it_is(made):
    text = (made[0] / 'README.txt').read_text()
    assert 'SYNTHETIC' in text
    assert 'make_tiny_300vw.py' in text and '--seed 3' in text


def test_first_marks_are_written_from_one(made):
    who = tiny.make_subject(3, 1)
    marks = tiny.Painter(3, 1, who, 6, 96).place(0)
    lines = (made[1][0] / 'annot/000001.pts').read_text().splitlines()
    assert lines[:3] == ['version: 1', 'n_points:  68', '{']
    assert lines[-1] == '}'
    first = [float(word) for word in lines[3].split()]
    np.testing.assert_allclose(first, marks[0] + 1, atol=1e-3)


def test_same_seed_same_files(made, tmp_path):
    tiny.make(tmp_path / 'again', **WISH)
    assert bytes_of(tmp_path / 'again') == bytes_of(made[0])


def test_video_does_not_depend_on_the_number_of_videos(made, tmp_path):
    one = tiny.make(tmp_path / 'one', **{**WISH, 'videos': 1})[0]
    assert bytes_of(one) == bytes_of(made[1][0])


def test_other_seed_differs(made, tmp_path):
    other = tiny.make(tmp_path / 'o', **{**WISH, 'videos': 1, 'seed': 4})[0]
    assert not np.allclose(marks_of(other), marks_of(made[1][0]), atol=1)
    change = np.subtract(frames_of(other), frames_of(made[1][0]), dtype=float)
    assert np.abs(change).mean() > 10


@pytest.mark.parametrize('size', [64, 192])
def test_marks_stay_inside_and_move_smoothly(size):
    for video, subject, _ in tiny.plan(12):
        who = tiny.make_subject(0, int(subject[1:]))
        painter = tiny.Painter(0, int(video), who, 120, size)
        marks = np.array([painter.place(i) for i in range(120)])
        assert marks.min() >= 0.02 * size
        assert marks.max() <= 0.98 * size - 1
        # Outer eye corners, nose tip and chin do not jump.
        steps = np.diff(marks[:, [36, 45, 30, 8]], axis=0)
        assert 0 < np.abs(steps).max() < 0.08 * size


def test_marks_lie_where_the_features_are_painted():
    at_marks, beside = [], []
    for number in range(1, 7):
        who = tiny.make_subject(0, number)
        painter = tiny.Painter(0, number, who, 40, 192)
        painter.cover, painter.grain = [], 0
        painter.path['blink'][:] = 0
        marks = painter.place(0)
        image = cv2.cvtColor(painter.paint(0), cv2.COLOR_BGR2GRAY)
        image = np.float32(image) / image.mean()
        # Lashes and the base of the nose are dark lines through their
        # keypoints.
        dark = np.float32(marks[[32, 33, 34, 37, 38, 43, 44]])
        for shift, values in ((0, at_marks), (-6, beside)):
            x, y = dark[:, 0], dark[:, 1] + shift
            values.append(cv2.remap(image, x, y, cv2.INTER_LINEAR).ravel())
    assert (np.mean(at_marks, 0) < 0.75 * np.mean(beside, 0)).all()


def test_mean_head_is_symmetric_and_ordered():
    head = tiny.mean_head()[:68]
    assert np.isfinite(head).all() and len(np.unique(head, axis=0)) == 68
    for left, right in ((36, 45), (39, 42), (17, 26), (48, 54), (0, 16)):
        np.testing.assert_allclose(head[left], head[right] * (-1, 1, 1))
    rest = tiny.project(head, tiny.rotation(0, 0, 0), 50, (96, 96))
    assert rest[36:42, 0].max() < rest[42:48, 0].min()
    brows, eyes, nose, mouth, chin = (
        rest[part, 1].mean()
        for part in (range(17, 27), range(36, 48), [33], range(48, 68), [8])
    )
    assert brows < eyes < nose < mouth < chin


def test_expressions_move_what_they_name():
    head = tiny.mean_head()
    opened = tiny.express(head, 1, 0, 0, 0)
    smiling = tiny.express(head, 0, 1, 0, 0)
    raised = tiny.express(head, 0, 0, 1, 0)
    shut = tiny.express(head, 0, 0, 0, 1)
    assert opened[66, 1] - opened[62, 1] > 0.2
    assert opened[8, 1] > head[8, 1]
    assert np.ptp(smiling[[48, 54], 0]) > np.ptp(head[[48, 54], 0])
    assert (raised[17:27, 1] < head[17:27, 1]).all()
    gap = np.array([41, 47]), np.array([37, 43])
    before, after = (h[gap[0], 1] - h[gap[1], 1] for h in (head, shut))
    assert (after > 0).all() and (after < 0.2 * before).all()


def test_depth_matters():
    head, ratios = tiny.mean_head(), []
    for yaw in (-30, 0, 30):
        p = tiny.project(head, tiny.rotation(yaw, 0, 0), 50, (96, 96))
        ratios.append((p[30, 0] - p[0, 0]) / (p[16, 0] - p[30, 0]))
    assert ratios[0] < 0.5 and ratios[2] > 2
    assert ratios[1] == pytest.approx(1)
    # A flat face would keep its ratio.
    flat = head * (1, 1, 0)
    p = tiny.project(flat, tiny.rotation(30, 0, 0), 50, (96, 96))
    flat_ratio = (p[30, 0] - p[0, 0]) / (p[16, 0] - p[30, 0])
    assert flat_ratio == pytest.approx(1)


def test_pitch_and_roll_turn_the_right_way():
    head = tiny.mean_head()
    down = tiny.project(head, tiny.rotation(0, 15, 0), 50, (0, 0))
    up = tiny.project(head, tiny.rotation(0, -15, 0), 50, (0, 0))
    assert down[30, 1] - down[[0, 16], 1].mean() > (
        up[30, 1] - up[[0, 16], 1].mean()
    )
    tilted = tiny.project(head, tiny.rotation(0, 0, 15), 50, (0, 0))
    assert tilted[45, 1] > tilted[36, 1]


@pytest.mark.parametrize('videos', [1, 2, 3, 5, 12, 40])
def test_no_subject_on_both_sides(videos):
    rows = tiny.plan(videos)
    assert len(rows) == videos
    sides = {
        split: {subject for _, subject, s in rows if s == split}
        for split in ('train', 'val')
    }
    assert sides['train'] and not sides['train'] & sides['val']
    assert bool(sides['val']) == (videos > 1)


def test_default_plan_and_its_table(made):
    rows = tiny.plan(12)
    assert len({subject for _, subject, _ in rows}) == 8
    assert [split for *_, split in rows].count('val') == 3
    with open(made[0] / 'subjects.csv', newline='') as f:
        table = list(csv.reader(f))
    assert table[0] == ['video', 'subject', 'split']
    assert [tuple(row) for row in table[1:]] == tiny.plan(4)


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error):
    calls, write = [], tiny.write_pts

    def failing(path, points):
        calls.append(path)
        if len(calls) == 8:
            raise error
        write(path, points)

    monkeypatch.setattr(tiny, 'write_pts', failing)
    with pytest.raises(error):
        tiny.make(tmp_path / 'set', **WISH)
    assert len(calls) == 8 and list(tmp_path.iterdir()) == []


def test_leftover_of_a_killed_run_is_replaced(tmp_path):
    part = tmp_path / 'set.part'
    (part / '001').mkdir(parents=True)
    (part / 'README.txt').write_text(tiny.TITLE + '\n')
    tiny.make(tmp_path / 'set', **{**WISH, 'videos': 1, 'frames': 1})
    assert [p.name for p in tmp_path.iterdir()] == ['set']


def test_foreign_part_folder_is_kept(tmp_path):
    (tmp_path / 'set.part').mkdir()
    (tmp_path / 'set.part' / 'mine.txt').write_text('mine')
    with pytest.raises(OSError):
        tiny.make(tmp_path / 'set', **WISH)
    assert (tmp_path / 'set.part' / 'mine.txt').read_text() == 'mine'
    assert not (tmp_path / 'set').exists()


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    for dst in (tmp_path, tmp_path / 'mine.txt'):
        with pytest.raises(DataError, match='something else'):
            tiny.make(dst, **WISH)
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']


def test_empty_folder_is_used(tmp_path):
    wish = {**WISH, 'videos': 1, 'frames': 1}
    (tmp_path / 'set').mkdir()
    tiny.make(tmp_path / 'set', **wish)
    assert tiny.is_complete(tmp_path / 'set', wish)


def test_complete_set_is_kept_and_other_options_are_refused(made, capsys):
    dst, folders = made
    before = (folders[0] / 'vid.avi').stat().st_mtime_ns
    assert tiny.make(dst, **WISH) == folders
    options = [f'--{key}={value}' for key, value in WISH.items()]
    tiny.main([str(dst), *options])
    assert 'already there' in capsys.readouterr().out
    assert (folders[0] / 'vid.avi').stat().st_mtime_ns == before
    with pytest.raises(DataError):
        tiny.make(dst, **{**WISH, 'seed': 9})


def test_damaged_set_is_refused(tmp_path):
    wish = {**WISH, 'videos': 1, 'frames': 2}
    folder = tiny.make(tmp_path / 'set', **wish)[0]
    (folder / 'annot/000002.pts').unlink()
    with pytest.raises(DataError):
        tiny.make(tmp_path / 'set', **wish)


@pytest.mark.parametrize(
    'wrong', [{'videos': 0}, {'frames': 0}, {'size': 97}, {'seed': -1}]
)
def test_wrong_options(tmp_path, wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        tiny.make(tmp_path / 'set', **{**WISH, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_command_line_runs_as_a_script(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    done = subprocess.run(
        [sys.executable, Path(tiny.__file__), tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and 'Trace' not in done.stderr
