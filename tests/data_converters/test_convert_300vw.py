from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_converters.convert_300vw import convert
from data_converters.errors import DataError
from data_converters.frames import frame_ids


def points_of(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)[:, :2]


def snapshot(folder) -> dict:
    """Everything below a folder with its content."""
    return {
        path: path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_official_from_video_files(tree, load, face, capsys):
    tree.avi('001', frames=3)
    tree.avi('203', frames=2)
    before = snapshot(tree.src)
    written = convert(tree.src, tree.dst)

    folder = tree.dst / 'annotations'
    assert written == {
        'train': folder / 'official_train.json',
        'test': folder / 'official_test.json',
    }
    train, test = load(written['train']), load(written['test'])
    assert train['videos'] == [
        {
            'id': 1,
            'name': '001',
            'category': None,
            'subject_id': 1,
            'split': 'train',
            'fps': 25.0,
        }
    ]
    assert [v['category'] for v in test['videos']] == [2]
    assert train['subjects'] == [{'id': 1, 'name': '001'}]
    assert [image['file_name'] for image in train['images']] == [
        'frames/001/000001.jpg',
        'frames/001/000002.jpg',
        'frames/001/000003.jpg',
    ]
    assert [image['frame_id'] for image in train['images']] == [0, 1, 2]
    for i, (image, annotation) in enumerate(
        zip(train['images'], train['annotations'])
    ):
        assert (image['width'], image['height']) == (64, 48)
        assert image['video_id'] == annotation['subject_id'] == 1
        np.testing.assert_allclose(
            points_of(annotation), face(i), rtol=0, atol=5.01e-4
        )
        # The builder's gray level tells which frame this is.
        frame = cv2.imread(str(tree.dst / image['file_name']))
        assert abs(float(frame.mean()) - (10 + 30 * i)) < 4

    assert snapshot(tree.src) == before
    printed = capsys.readouterr().out
    assert 'official train: 49 of the 50 listed videos' in printed
    assert 'official test: 63 of the 64 listed videos' in printed
    assert f'train: 1 videos, 3 frames, 1 subjects -> {folder}' in printed


def test_second_run_reuses_frames(tree):
    tree.avi('001', frames=2)
    path = convert(tree.src, tree.dst)['train']
    frame = tree.dst / 'frames' / '001' / '000001.jpg'
    first = path.read_bytes(), frame.stat().st_mtime_ns
    assert convert(tree.src, tree.dst)['train'] == path
    assert (path.read_bytes(), frame.stat().st_mtime_ns) == first


def test_unfinished_folder_is_extracted_again(tree):
    tree.avi('001', frames=2)
    part = tree.dst / 'frames' / '001.part'
    part.mkdir(parents=True)
    (part / '000001.jpg').write_bytes(b'half a fra')
    convert(tree.src, tree.dst)
    assert not part.exists()
    frame = cv2.imread(str(tree.dst / 'frames' / '001' / '000001.jpg'))
    assert frame.shape == (48, 64, 3)


def test_quality_changes_extracted_frames(tree):
    tree.avi('001', frames=1)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    writer = cv2.VideoWriter(
        str(tree.src / '001' / 'vid.avi'),
        cv2.VideoWriter_fourcc(*'MJPG'),
        25,
        (64, 48),
    )
    writer.write(noise)
    writer.release()
    sizes = []
    for quality in (30, 95):
        shutil.rmtree(tree.dst, ignore_errors=True)
        convert(tree.src, tree.dst, quality=quality)
        frame = tree.dst / 'frames' / '001' / '000001.jpg'
        sizes.append(frame.stat().st_size)
    assert sizes[0] < sizes[1]


def test_longer_video_is_cut_with_a_line(tree, load, capsys):
    tree.avi('001', frames=4, annotated=3)
    data = load(convert(tree.src, tree.dst)['train'])
    assert len(data['images']) == 3
    assert len(list((tree.dst / 'frames' / '001').iterdir())) == 3
    assert '001: 1 frames beyond the keypoints left out' in (
        capsys.readouterr().out
    )


def test_marks_with_gaps_keep_their_frames(tree, load, face):
    tree.avi('001', frames=4, annotated=0)
    tree.annotate('001', '000002', face(1))
    tree.annotate('001', '000004', face(3))
    data = load(convert(tree.src, tree.dst)['train'])
    assert [image['frame_id'] for image in data['images']] == [1, 3]
    frame = cv2.imread(str(tree.dst / data['images'][1]['file_name']))
    assert abs(float(frame.mean()) - (10 + 30 * 3)) < 4


@pytest.mark.parametrize('suffix', ['.jpg', '.JPG', '.jpeg', '.png', '.bmp'])
def test_extracted_layout_is_linked(tree, load, suffix):
    tree.extracted('001', ('000731', '000732'), suffix)
    data = load(convert(tree.src, tree.dst, protocol='all')['all'])
    link = tree.dst / 'frames' / '001'
    assert link.is_symlink()
    assert link.resolve() == (tree.src / '001' / 'imgs').resolve()
    assert data['images'][0]['file_name'] == f'frames/001/000731{suffix}'
    assert [image['frame_id'] for image in data['images']] == [730, 731]
    assert (tree.dst / data['images'][1]['file_name']).is_file()
    assert data['videos'][0]['fps'] is None
    # A second run finds its own link and gives the same.
    assert load(convert(tree.src, tree.dst, protocol='all')['all']) == data


def test_extracted_layout_is_copied(tree):
    tree.extracted('001')
    before = snapshot(tree.src)
    convert(tree.src, tree.dst)
    convert(tree.src, tree.dst, images='copy')
    folder = tree.dst / 'frames' / '001'
    assert not folder.is_symlink()
    copies = sorted(folder.iterdir())
    assert [path.name for path in copies] == ['000001.jpg', '000002.jpg']
    assert copies[0].read_bytes() in before.values()
    stamps = [path.stat().st_mtime_ns for path in copies]
    convert(tree.src, tree.dst, images='copy')
    convert(tree.src, tree.dst, images='link')
    assert [path.stat().st_mtime_ns for path in copies] == stamps
    assert snapshot(tree.src) == before


def test_extraction_never_goes_through_an_old_link(tree):
    tree.extracted('001')
    convert(tree.src, tree.dst)
    old = tree.src.parent / 'old'
    tree.src.rename(old)
    (tree.dst / 'frames' / '001').unlink()
    (tree.dst / 'frames' / '001').symlink_to(old / '001' / 'imgs')
    before = snapshot(old)
    tree.src.mkdir()
    tree.avi('001', frames=2)
    convert(tree.src, tree.dst)
    assert not (tree.dst / 'frames' / '001').is_symlink()
    assert snapshot(old) == before


def test_layout_is_found_for_each_video(tree, load):
    tree.avi('001', frames=1)
    tree.extracted('002')
    data = load(convert(tree.src, tree.dst)['train'])
    assert [video['fps'] for video in data['videos']] == [25.0, None]
    assert [image['video_id'] for image in data['images']] == [1, 2, 2]
    assert [image['id'] for image in data['images']] == [1, 2, 3]


@pytest.mark.parametrize('base', [0, 1])
def test_base(tree, load, face, base):
    tree.extracted('001')
    for i, stem in enumerate(('000001', '000002')):
        tree.annotate('001', stem, face(i), base=base)
    data = load(convert(tree.src, tree.dst, base=base)['train'])
    assert data['info']['base'] == base
    np.testing.assert_allclose(
        points_of(data['annotations'][0]), face(), rtol=0, atol=5.01e-4
    )


def test_images_of_different_sizes(tree, load):
    tree.extracted('001')
    path = tree.src / '001' / 'imgs' / '000002.jpg'
    cv2.imwrite(str(path), np.zeros((50, 70, 3), np.uint8))
    images = load(convert(tree.src, tree.dst)['train'])['images']
    assert [(i['width'], i['height']) for i in images] == [(64, 48), (70, 50)]


def test_images_without_marks_are_left_out_with_a_line(tree, load, capsys):
    tree.extracted('001', ('000001', '000002', '000003'))
    (tree.src / '001' / 'annot' / '000002.pts').unlink()
    images = load(convert(tree.src, tree.dst)['train'])['images']
    assert [image['frame_id'] for image in images] == [0, 2]
    assert (
        '001: 1 images without keypoints left out' in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ('stems', 'expected'),
    [
        (['000001', '000003'], [0, 2]),
        (['00000', '00002'], [0, 2]),
        (['10', '9'], [9, 8]),
        (['b', 'a', '1'], [2, 1, 0]),
    ],
)
def test_frame_ids(stems, expected):
    assert frame_ids(stems) == expected


def test_csv_protocol(tree, load):
    for name in ('ann_0', 'ann_1', 'bob_0'):
        tree.extracted(name)
    path = tree.csv(
        'video,subject,split,frames\n'
        'ann_0,Ann,train,2\nann_1,Ann,train,2\nbob_0,Bob,val,2\n'
    )
    written = convert(tree.src, tree.dst, protocol='csv', subjects=path)
    assert {name: p.name for name, p in written.items()} == {
        'train': 'csv_train.json',
        'val': 'csv_val.json',
    }
    train, val = load(written['train']), load(written['val'])
    assert train['subjects'] == [{'id': 1, 'name': 'Ann'}]
    assert [video['subject_id'] for video in train['videos']] == [1, 1]
    assert {a['subject_id'] for a in train['annotations']} == {1}
    assert train['info']['counts'] == {
        'videos': 2,
        'images': 4,
        'annotations': 4,
        'subjects': 1,
    }
    assert val['subjects'] == [{'id': 1, 'name': 'Bob'}]
    assert val['videos'][0]['category'] is None


def test_rednet_keeps_subjects_apart(tree, load, capsys):
    # 208 is on the test side, 001 and 203 are on the train side; the test
    # video 124 is listed but not in this copy.
    for name in ('001', '002', '203', '208'):
        tree.extracted(name)
    path = tree.csv(
        'video,subject\n001,Ann\n002,Cid\n203,Bob\n208,Bob\n124,Cid\n'
    )
    written = convert(tree.src, tree.dst, protocol='rednet', subjects=path)
    train, test = load(written['train']), load(written['test'])
    assert [video['name'] for video in train['videos']] == ['001']
    assert [video['name'] for video in test['videos']] == ['208']
    assert test['videos'][0]['category'] == 2
    lines = capsys.readouterr().out.splitlines()
    line = [text for text in lines if 'test side' in text]
    assert len(line) == 1 and line[0].endswith('002, 203')


def test_videos_off_the_lists_are_ignored_with_a_line(tree, capsys):
    tree.extracted('001')
    tree.extracted('mine')
    assert set(convert(tree.src, tree.dst)) == {'train'}
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.endswith(': mine')]) == 1
    assert not (tree.dst / 'frames' / 'mine').exists()


def break_marks(tree):
    path = tree.src / '002' / 'annot' / '000002.pts'
    path.write_text(path.read_text().replace('68', '67', 1))


def test_marks_are_checked_before_anything_is_extracted(tree):
    tree.avi('001', frames=3)
    tree.extracted('002')
    break_marks(tree)
    with pytest.raises(DataError):
        convert(tree.src, tree.dst)
    assert not tree.dst.exists()


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_frames_stay_in_the_video(tree, load, capsys, mode):
    tree.avi('001', frames=4, annotated=0)
    for number in (1, 3):
        tree.annotate('001', f'{number:06d}', np.eye(68)[:, :2] * number)
    tree.extracted('002')
    before = snapshot(tree.src)
    options = dict(frames='avi', images=mode)
    written = convert(tree.src, tree.dst, **options)['train']
    data = load(written)
    assert [image['file_name'] for image in data['images']] == [
        'videos/001.avi#0',
        'videos/001.avi#2',
        'frames/002/000001.jpg',
        'frames/002/000002.jpg',
    ]
    assert [image['frame_id'] for image in data['images']] == [0, 2, 0, 1]
    assert {(i['width'], i['height']) for i in data['images']} == {(64, 48)}
    assert [video['fps'] for video in data['videos']] == [25.0, None]
    video = tree.dst / 'videos' / '001.avi'
    assert video.is_symlink() == (mode == 'link')
    assert video.read_bytes() == before[tree.src / '001' / 'vid.avi']
    assert not (tree.dst / 'frames' / '001').exists()
    # A fourth frame without keypoints behind the last one with keypoints.
    assert (
        '001: 1 frames beyond the keypoints left out'
        in capsys.readouterr().out
    )
    first = written.read_bytes()
    convert(tree.src, tree.dst, **options)
    assert written.read_bytes() == first
    assert snapshot(tree.src) == before

    # But for the names it is what the extracted frames give.
    other = load(convert(tree.src, tree.dst)['train'])
    assert other['annotations'] == data['annotations']
    for one, two in zip(data['images'], other['images']):
        assert one | {'file_name': two['file_name']} == two


def test_source_may_be_the_folder_of_videos(tree):
    # DST/videos is written by --frames avi alone.
    src = tree.dst / 'videos'
    src.parent.mkdir()
    tree.src.rename(src)
    tree.src = src
    tree.avi('001', frames=2)
    assert set(convert(src, tree.dst)) == {'train'}
    with pytest.raises(DataError, match='would be written into the source'):
        convert(src, tree.dst, frames='avi')
    with pytest.raises(ValueError, match="frames 'png' is not in"):
        convert(src, tree.dst, frames='png')


def test_csv_protocol_wants_a_list(tree):
    tree.extracted('a')
    with pytest.raises(DataError, match='--subjects CSV'):
        convert(tree.src, tree.dst, protocol='csv')
    with pytest.raises(DataError, match=r'none\.csv: no such file'):
        convert(tree.src, tree.dst, subjects=tree.src / 'none.csv')


@pytest.mark.parametrize('inner', ['', 'out'])
def test_destination_in_the_source_is_refused(tree, inner):
    tree.extracted('001')
    before = snapshot(tree.src)
    with pytest.raises(DataError, match='would be written into the source'):
        convert(tree.src, tree.src / inner)
    assert snapshot(tree.src) == before


def test_reused_folder_that_lacks_frames_is_named(tree, face):
    tree.avi('001', frames=3, annotated=2)
    convert(tree.src, tree.dst)
    tree.annotate('001', '000003', face())
    with pytest.raises(DataError, match=r'001: .*without 000003\.jpg'):
        convert(tree.src, tree.dst)


@pytest.mark.parametrize('size', [0, 1, 300])
def test_reused_frame_that_is_cut_short_is_named(tree, size):
    tree.avi('001', frames=2)
    convert(tree.src, tree.dst)
    frame = tree.dst / 'frames' / '001' / '000002.jpg'
    whole = frame.read_bytes()
    assert len(whole) > 300
    frame.write_bytes(whole[:size])
    with pytest.raises(DataError, match=r'001: .*000002\.jpg, or with a part'):
        convert(tree.src, tree.dst)
    shutil.rmtree(frame.parent)
    convert(tree.src, tree.dst)
    assert frame.read_bytes() == whole


def test_failure_keeps_the_earlier_json(tree):
    tree.avi('001', frames=2)
    path = convert(tree.src, tree.dst)['train']
    before = path.read_bytes()
    tree.extracted('002')
    break_marks(tree)
    with pytest.raises(DataError):
        convert(tree.src, tree.dst)
    assert path.read_bytes() == before


def test_command_line(tree, command_line, load):
    tree.avi('001', frames=2)
    done = command_line('convert_300vw', tree.src, tree.dst, '--workers', 2)
    assert done.returncode == 0, done.stderr
    assert 'train: 1 videos, 2 frames, 1 subjects -> ' in done.stdout
    path = tree.dst / 'annotations' / 'official_train.json'
    assert load(path)['info']['converter'] == 'convert_300vw'


def test_command_line_error(tree, command_line):
    tree.avi('001', frames=2)
    tree.annotate('001', '000003', np.arange(136.0).reshape(68, 2))
    done = command_line('convert_300vw', tree.src, tree.dst)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(f'error: {tree.src}/001/vid.avi: has 2 frames')
    assert 'Traceback' not in done.stderr
    assert tree.left_behind() == []


def test_real_300vw_frames(shared, tmp_path, load):
    source = shared / 'fixtures' / '300vw_sample'
    data = load(convert(source, tmp_path / 'dst', protocol='all')['all'])
    assert [video['name'] for video in data['videos']] == ['001', '401']
    assert [video['category'] for video in data['videos']] == [None, 1]
    assert [image['frame_id'] for image in data['images']] == [5, 8, 730, 731]
    first = data['images'][0]
    assert (first['width'], first['height']) == (1280, 720)
    # The file's first mark, 743.224 197.764, is 1-based.
    assert data['annotations'][0]['keypoints'][:3] == [742.224, 196.764, 2]
    # 401's frame 731 is on the list, 732 is not.
    written = convert(
        source, tmp_path / 'dst', protocol='all', skip_unused=True
    )
    assert [i['frame_id'] for i in load(written['all'])['images']] == [
        5,
        8,
        731,
    ]


def test_real_youtube_faces(shared, tmp_path, load):
    source = tmp_path / 'src'
    source.mkdir()
    with (shared / 'ytfaces' / 'subjects.csv').open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    chosen = rows[:: len(rows) // 12]
    for row in chosen:
        os.symlink(shared / 'ytfaces' / row['video'], source / row['video'])
    path = tmp_path / 'cut.csv'
    with path.open('w', newline='') as stream:
        table = csv.DictWriter(stream, rows[0].keys())
        table.writeheader()
        table.writerows(chosen)

    dst = tmp_path / 'dst'
    written = convert(source, dst, protocol='csv', subjects=path, base=0)
    frames = 0
    for split, file in written.items():
        data = load(file)
        names = [row['video'] for row in chosen if row['split'] == split]
        assert [video['name'] for video in data['videos']] == sorted(names)
        frames += len(data['images'])
        for image, annotation in zip(data['images'], data['annotations']):
            assert (dst / image['file_name']).is_file()
            video, file = image['file_name'].split('/')[1:]
            marks = (source / video / 'annot' / file).with_suffix('.pts')
            # The first mark stands in line 4, and is 0-based already.
            first = marks.read_text().splitlines()[3].split()
            assert points_of(annotation)[0].tolist() == [*map(float, first)]
    assert frames == sum(int(row['frames']) for row in chosen)


@pytest.mark.parametrize('layout', ['avi', 'extracted'])
def test_unused_frames_are_left_out(tree, load, capsys, face, layout):
    # 540 has 744 746-750 on the list, and 001 is not on it.
    stems = [f'{number:06d}' for number in (743, 744, 745, 746)]
    tree.extracted('540', stems)
    tree.extracted('001', stems)
    if layout == 'avi':
        shutil.rmtree(tree.src / '540' / 'imgs')
        video(tree.src / '540' / 'vid.avi', 746)
    before = convert(tree.src, tree.dst, protocol='all')['all'].read_bytes()
    assert b'unused' not in before
    written = convert(tree.src, tree.dst, protocol='all', skip_unused=True)
    data = load(written['all'])
    found = [(i['video_id'], i['frame_id']) for i in data['images']]
    assert found == [(1, n) for n in (742, 743, 744, 745)] + [
        (2, 742),
        (2, 744),
    ]
    assert data['info']['unused_frames_left_out'] == 2
    printed = capsys.readouterr().out
    assert 'all: 2 frames of the common list left out' in printed
    # The frames stay where they are: without the option it is as before.
    written = convert(tree.src, tree.dst, protocol='all')
    assert written['all'].read_bytes() == before


def video(path, frames: int) -> None:
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (64, 48)
    )
    for _ in range(frames):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()


def test_video_of_unused_frames_alone(tree, load):
    tree.extracted('540', ['000744', '000746'])
    tree.extracted('541')
    data = load(convert(tree.src, tree.dst, skip_unused=True)['test'])
    assert [video['name'] for video in data['videos']] == ['541']
    assert data['info']['counts']['subjects'] == 1


def test_seven_marks_have_the_box_of_all(tree, load):
    tree.extracted('001')
    whole = load(convert(tree.src, tree.dst)['train'])
    seven = load(convert(tree.src, tree.dst, points=7)['train'])
    assert len(seven['categories'][0]['keypoints']) == 7
    for one, other in zip(whole['annotations'], seven['annotations']):
        chosen = points_of(one)[[36, 39, 42, 45, 30, 48, 54]]
        np.testing.assert_array_equal(points_of(other), chosen)
        for key in ('bbox', 'area', 'center', 'scale', 'box_size'):
            assert one[key] == other[key]
    with pytest.raises(ValueError, match='points 5 is neither 68 nor 7'):
        convert(tree.src, tree.dst, points=5)


# Kills itself when it is about to write the given image.
KILLED = """
import os, signal, sys
import cv2
from data_converters import convert_300vw

write, seen = cv2.imwrite, []
def imwrite(path, *rest):
    seen.append(path)
    if len(seen) == int(sys.argv[3]):
        with open(path, 'wb') as stream:
            stream.write(b'half a pic')
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, *rest)
cv2.imwrite = imwrite
convert_300vw.convert(sys.argv[1], sys.argv[2], workers=1)
"""


def test_killed_run_goes_on_to_the_same_bytes(tree):
    for name in ('001', '002', '003'):
        tree.avi(name, frames=4)
    # In the middle of the second video.
    arguments = [tree.src, tree.dst, 6]
    done = subprocess.run(
        [sys.executable, '-c', KILLED, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    frames = tree.dst / 'frames'
    assert sorted(p.name for p in frames.iterdir()) == ['001', '002.part']
    assert not (tree.dst / 'annotations').exists()
    stamp = (frames / '001' / '000001.jpg').stat().st_mtime_ns

    convert(tree.src, tree.dst)
    assert (frames / '001' / '000001.jpg').stat().st_mtime_ns == stamp
    fresh = tree.src.parent / 'fresh'
    convert(tree.src, fresh)
    contents = [
        {path.relative_to(root): data for path, data in snapshot(root).items()}
        for root in (tree.dst, fresh)
    ]
    assert contents[0] == contents[1]
    # 3 videos of 4 frames and the JSON
    assert len(contents[0]) == 13


def test_leftovers_of_an_interrupted_placing(tree, monkeypatch):
    tree.extracted('001')
    # A link under its temporary name, as an interruption may leave it.
    part = tree.dst / 'frames' / '001.part'
    part.parent.mkdir(parents=True)
    part.symlink_to('nowhere')
    convert(tree.src, tree.dst)
    assert [path.name for path in part.parent.iterdir()] == ['001']

    def half(source, target):
        target.write_bytes(b'half')
        raise OSError(28, 'No space left on device', str(target))

    monkeypatch.setattr(shutil, 'copyfile', half)
    with pytest.raises(OSError, match='No space left'):
        convert(tree.src, tree.dst, images='copy')
    assert list((tree.dst / 'frames' / '001').iterdir()) == []
