"""The tools that check a data set and draw it, and what they draw."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import face_shape, write_stills, write_videos
from mmengine.config import Config

from rednet_mm.datasets.metainfo import (
    FACE_7,
    FACE_21,
    FACE_68,
    PARTS_7,
    PARTS_21,
    PARTS_68,
)
from rednet_mm.utils.landmarks import SEVEN_OF_68
from rednet_mm.visualization.drawing import draw_keypoints

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / 'tools'))

import browse_dataset  # noqa: E402
import check_dataset  # noqa: E402

T, SIZE = 3, 64
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
    dict(type='PackPoseInputs'),
]
# Colours of the parts, BGR.
EYE, BROW, MOUTH = (255, 200, 80), (120, 220, 120), (90, 90, 255)
NOSE = (200, 120, 250)


def call(monkeypatch, tool, *arguments) -> int:
    """Exit status of a tool's command line."""
    command = [tool.__name__, *map(str, arguments)]
    monkeypatch.setattr(sys, 'argv', command)
    try:
        tool.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


# -- check_dataset ----------------------------------------------------------


@pytest.fixture
def videos(tmp_path):
    return write_videos(
        tmp_path,
        videos=3,
        frames=4,
        subjects=['zoe', 'ann', 'bob'],
        splits=['train', 'train', 'test'],
    )


def jsons(root):
    return [
        root / 'annotations' / f'csv_{split}.json'
        for split in ('train', 'test')
    ]


def test_whole_data_gives_zero(videos, monkeypatch, capsys, tmp_path):
    out = tmp_path / 'report.json'
    status = call(monkeypatch, check_dataset, *jsons(videos), '--out', out)
    text = capsys.readouterr().out
    assert status == 0
    assert '2 videos, 8 images, 8 faces, 2 subjects\n' in text
    assert text.count('nothing wrong') == 2
    assert text.endswith('0 errors, 0 warnings\n')
    assert json.loads(out.read_text())['errors'] == 0


def test_broken_data_gives_one(videos, monkeypatch, capsys, tmp_path):
    train, test = jsons(videos)
    (videos / 'frames' / '001' / '000002.jpg').write_bytes(b'')
    content = json.loads(test.read_text())
    content['subjects'][0]['name'] = 'zoe'
    test.write_text(json.dumps(content))
    out = tmp_path / 'report.json'
    arguments = (train, test, '--out', out)
    assert call(monkeypatch, check_dataset, *arguments) == 1
    text = capsys.readouterr().out
    assert 'image file that cannot be decoded' in text
    assert 'frames/001/000002.jpg' in text
    assert 'subject in csv_train.json and csv_test.json' in text
    assert text.endswith('2 errors, 0 warnings\n')
    assert json.loads(out.read_text())['errors'] == 2
    # The images apart, only the subject is left.
    assert call(monkeypatch, check_dataset, *arguments, '--no-images') == 1
    assert capsys.readouterr().out.endswith('1 errors, 0 warnings\n')


def test_images_elsewhere(videos, monkeypatch, capsys, tmp_path):
    train, _ = jsons(videos)
    moved = tmp_path / 'train.json'
    train.rename(moved)
    assert call(monkeypatch, check_dataset, moved) == 1
    assert '8 x image file missing' in capsys.readouterr().out
    root = ('--data-root', videos)
    assert call(monkeypatch, check_dataset, moved, *root) == 0


def test_no_data_gives_two(monkeypatch, capsys, tmp_path):
    out = tmp_path / 'report.json'
    path = tmp_path / 'no.json'
    assert call(monkeypatch, check_dataset, path, '--out', out) == 2
    assert capsys.readouterr().err == (
        f'error: {path}: does not exist; name a JSON file that a converter '
        'wrote\n'
    )
    assert not out.exists()


# -- browse_dataset ---------------------------------------------------------


def write_config(path, **loaders) -> Path:
    """A config of data sets alone."""
    content = dict(
        custom_imports=dict(imports=['rednet_mm'], allow_failed_imports=False)
    )
    for split, dataset in loaders.items():
        settings = dict(data_prefix=dict(img=''), pipeline=PIPELINE)
        content[f'{split}_dataloader'] = dict(dataset={**settings, **dataset})
    Config(content).dump(path)
    return path


def clips(root, **kwargs) -> dict:
    settings = dict(
        type='VideoClipDataset',
        data_root=str(root),
        ann_file='annotations/csv_train.json',
        clip_length=T,
    )
    return {**settings, **kwargs}


def sheets_of(folder) -> dict[str, np.ndarray]:
    return {p.name: cv2.imread(str(p)) for p in sorted(folder.iterdir())}


def near(image, points, colour, reach=1) -> list[bool]:
    """Whether the colour is within ``reach`` pixels of each point."""
    off = np.abs(image.astype(int) - colour).max(-1)
    found = []
    for x, y in np.round(np.reshape(points, (-1, 2))).astype(int):
        rows = slice(max(y - reach, 0), y + reach + 1)
        columns = slice(max(x - reach, 0), x + reach + 1)
        part = off[rows, columns]
        found.append(bool(part.size) and part.min() < 70)
    return found


def paint_gray(root):
    """Images without colours, so that every colour is a drawn one."""
    for path in root.rglob('*.jpg'):
        cv2.imwrite(str(path), np.full((SIZE, SIZE), 60, np.uint8))


def test_a_clip_is_a_row(videos, monkeypatch, tmp_path):
    paint_gray(tmp_path)
    config = write_config(
        tmp_path / 'c.py', train=clips(videos, clips_per_video=5)
    )
    out = tmp_path / 'out'
    # 2 videos, 5 clips each forth and back: 20 items, in rows of 3, 8 rows
    # on a sheet.
    arguments = ('--out', out, '--number', 99, '--size', 48)
    assert call(monkeypatch, browse_dataset, config, *arguments) == 0
    found = sheets_of(out)
    assert {name: sheet.shape for name, sheet in found.items()} == {
        'train_input_1.png': (8 * 48, 3 * 48, 3),
        'train_input_2.png': (8 * 48, 3 * 48, 3),
        'train_input_3.png': (4 * 48, 3 * 48, 3),
    }
    # The same again, and others of another seed.
    again = tmp_path / 'again'
    arguments = ('--out', again, '--number', 4, '--size', 48)
    call(monkeypatch, browse_dataset, config, *arguments)
    first = sheets_of(again)['train_input_1.png']
    np.testing.assert_array_equal(first, found['train_input_1.png'][: 4 * 48])
    call(monkeypatch, browse_dataset, config, *arguments, '--seed', 1)
    assert (sheets_of(again)['train_input_1.png'] != first).any()


def test_marks_are_where_the_network_sees_them(videos, monkeypatch, tmp_path):
    paint_gray(tmp_path)
    one = clips(videos, ann_file='annotations/csv_test.json', test_mode=True)
    config = write_config(tmp_path / 'c.py', val=one)
    out = tmp_path / 'out'
    arguments = ('--split', 'val', '--out', out, '--size', 128)
    call(monkeypatch, browse_dataset, config, *arguments, '--number', 1)
    sheet = sheets_of(out)['val_input_1.png']
    assert sheet.shape == (128, 128, 3)
    # Whatever frame it is, the box is that of the keypoints, enlarged by 1.25,
    # in the middle of the crop: mark m of the face lies at
    # (m - middle) / (1.25 * side) * 63 + 31.5 of the crop's 64 pixels
    # (UDP), and the crop is drawn twice as large.
    marks = face_shape(SIZE)
    low, high = marks.min(0), marks.max(0)
    side = 1.25 * (high - low).max()
    crop = (marks - (low + high) / 2) / side * (SIZE - 1) + (SIZE - 1) / 2
    places = 2 * crop + 0.5
    assert all(near(sheet, places[36:48], EYE))
    assert all(near(sheet, places[17:27], BROW))
    assert all(near(sheet, places[48:60], MOUTH))
    assert not any(near(sheet, places[36:48] + (0, 14), EYE))


def test_original_is_the_photo_with_its_box(videos, monkeypatch, tmp_path):
    paint_gray(tmp_path)
    config = write_config(
        tmp_path / 'c.py', train=clips(videos, clips_per_video=1)
    )
    out = tmp_path / 'out'
    arguments = ('--original', '--out', out, '--size', 128, '--number', 1)
    call(monkeypatch, browse_dataset, config, *arguments)
    sheet = sheets_of(out)['train_original_1.png']
    assert sheet.shape == (128, 3 * 128, 3)
    # write_videos: the face moves by half a pixel a frame, of the second
    # video by one more; some shift fits each of the images.
    marks = face_shape(SIZE)
    low, high = marks.min(0), marks.max(0)
    middle, half = (low + high) / 2, (high - low).max() / 2
    for place in range(3):
        picture = sheet[:, 128 * place : 128 * (place + 1)]
        assert any(
            all(near(picture, 2 * (marks[36:48] + shift) + 0.5, EYE))
            and all(
                near(
                    picture,
                    2 * (middle + half * np.array(corner) + shift) + 0.5,
                    (200, 200, 200),
                )[0]
                for corner in ((-1, -1), (1, -1), (-1, 1), (1, 1))
            )
            for shift in np.arange(0, 3, 0.5)
        )


@pytest.mark.parametrize('original', [False, True])
def test_invisible_marks_are_left_out(monkeypatch, tmp_path, original):
    path = tmp_path / 'annotations' / 'seven.json'
    write_stills(path, points=7, images=7, size=SIZE)
    paint_gray(tmp_path)
    content = json.loads(path.read_text())
    for face in content['annotations']:
        face['keypoints'][15:] = [0, 0, 0, 0, 0, 0]
        face['num_keypoints'] = 5
    path.write_text(json.dumps(content))
    # Seven of 68, as MMPose turns one scheme into another.
    mapping = list(enumerate(SEVEN_OF_68))
    to_68 = dict(type='KeypointConverter', num_keypoints=68, mapping=mapping)
    config = write_config(
        tmp_path / 'c.py',
        train=dict(
            type='CombinedDataset',
            metainfo=dict(from_file='configs/_base_/datasets/300w.py'),
            datasets=[
                dict(
                    type='AFLWDataset',
                    data_root=str(tmp_path),
                    ann_file='annotations/seven.json',
                    data_prefix=dict(img=''),
                    pipeline=[to_68],
                )
            ],
        ),
    )
    out = tmp_path / 'out'
    arguments = ['--out', out, '--size', SIZE] + ['--original'] * original
    assert call(monkeypatch, browse_dataset, config, *arguments) == 0
    (sheet,) = sheets_of(out).values()
    # Seven still images, six in a row.
    assert sheet.shape == (2 * SIZE, 6 * SIZE, 3)
    tile = sheet[:SIZE, :SIZE]
    for colour, there in ((EYE, True), (NOSE, True), (MOUTH, False)):
        off = np.abs(tile.astype(int) - colour).max(-1)
        assert (off.min() < 70) == there


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ((), 'say --out FOLDER for files or --show for a window'),
        (('--show',), 'there is no screen for --show'),
        (('--out', 'x', '--number', '0'), '--number is 1 or more'),
        (('--out', 'x', '--split', 'test'), 'has no test_dataloader'),
        (('--out', 'x', '--split', 'val'), 'does not end with PackPoseInp'),
        (('--out', 'x'), 'no_such.json does not exist; make it with a conv'),
    ],
)
def test_browse_says_what_is_wrong(
    monkeypatch, tmp_path, capsys, arguments, says
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / 'annotations' / 'some.json'
    write_stills(path, images=1)
    config = write_config(
        tmp_path / 'c.py',
        train=clips(tmp_path, ann_file='no_such.json'),
        val=clips(
            tmp_path,
            ann_file='annotations/some.json',
            pipeline=PIPELINE[:1],
        ),
    )
    assert call(monkeypatch, browse_dataset, config, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert says in line
    assert not (tmp_path / 'x').exists()


def test_unreadable_photo_is_named(videos, monkeypatch, tmp_path, capsys):
    for path in (videos / 'frames' / '003').glob('*.jpg'):
        path.write_bytes(b'')
    one = clips(videos, ann_file='annotations/csv_test.json', test_mode=True)
    config = write_config(tmp_path / 'c.py', val=one)
    arguments = ('--split', 'val', '--out', tmp_path / 'out')
    for kind in ((), ('--original',)):
        status = call(monkeypatch, browse_dataset, config, *arguments, *kind)
        assert status == 2
        assert '/frames/003/00000' in capsys.readouterr().err


# -- drawing ----------------------------------------------------------------


def in_rows(parts) -> np.ndarray:
    """Each part in a row of its own, its keypoints 20 pixels apart."""
    points = {
        first + i: (20 + 20 * i, 20 + 20 * row)
        for row, (_, first, last, *_) in enumerate(parts)
        for i in range(last - first + 1)
    }
    return np.array([points[i] for i in range(len(points))], float)


def is_of(pixels, colour) -> bool:
    """Whether BGR pixels are of an RGB colour; smoothed, lines are darker."""
    brightest = pixels.max(-1, keepdims=True)
    shares = pixels / np.maximum(brightest, 1)
    expected = np.array(colour[::-1]) / max(colour)
    return brightest.min() > 100 and np.abs(shares - expected).max() < 0.03


@pytest.mark.parametrize(
    ('parts', 'metainfo'),
    [(PARTS_7, FACE_7), (PARTS_21, FACE_21), (PARTS_68, FACE_68)],
)
def test_parts_are_lines_and_dots_in_their_colours(parts, metainfo):
    points = in_rows(parts)
    canvas = np.zeros((240, 400, 3), np.uint8)
    draw_keypoints(canvas, points, metainfo=metainfo)
    for row, (_, first, last, _, colour) in enumerate(parts):
        # From the first mark to the last, and not beyond.
        drawn = canvas[20 + 20 * row]
        end = 20 + 20 * (last - first)
        assert is_of(drawn[20 : end + 1], colour)
        assert not drawn[: 20 - 4].any()
        assert not drawn[end + 4 :].any()
        # A dot is wider than a line.
        assert drawn[18].any() == (first == last)
    again = np.zeros_like(canvas)
    draw_keypoints(again, points)
    np.testing.assert_array_equal(again, canvas)


def test_what_is_not_visible_is_not_drawn():
    points = in_rows(PARTS_21)
    visible = np.ones(21)
    # Middle of the first brow, chin.
    visible[[1, 20]] = 0
    canvas = np.zeros((240, 400, 3), np.uint8)
    draw_keypoints(canvas, points, visible)
    brow, chin = canvas[20], canvas[20 + 20 * 8]
    assert not brow[24:57].any()
    assert not chin.any()
    # What is left of the brow are dots.
    assert is_of(brow[[20, 60]], (120, 220, 120))
    assert is_of(canvas[40, 20:61], (120, 220, 120))


def test_landmarks_of_no_known_scheme_are_dots():
    canvas = np.zeros((60, 60, 3), np.uint8)
    draw_keypoints(canvas, np.array([[10.0, 10], [50, 50]]))
    assert (canvas[[10, 50], [10, 50]] == 200).all()
    assert not canvas[30, 30].any()
