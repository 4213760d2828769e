from __future__ import annotations

import csv
import os
import shutil

import numpy as np
import pytest

from data_converters.convert_300w import convert
from data_converters.errors import DataError


@pytest.fixture
def stills(tree):
    """Two faces of one photo in afw, one face in lfpw, one beside them."""
    tree.still('afw/7_1.jpg')
    tree.still('afw/7_2.jpg', shift=1)
    tree.still('lfpw/image_0001.PNG', shift=2)
    tree.still('single.jpeg', shift=3)
    return tree


NAMES = [
    'images/single.jpeg',
    'images/afw/7_1.jpg',
    'images/afw/7_2.jpg',
    'images/lfpw/image_0001.PNG',
]


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_everything_in_one_split(stills, load, face, mode):
    written = convert(stills.src, stills.dst, images=mode)
    assert written == {'all': stills.dst / 'annotations' / '300w_all.json'}
    data = load(written['all'])
    assert data['videos'] == data['subjects'] == []
    assert [image['file_name'] for image in data['images']] == NAMES
    for name in NAMES:
        assert (stills.dst / name).is_file()
    for image, annotation, shift in zip(
        data['images'], data['annotations'], (3, 0, 1, 2)
    ):
        assert (image['width'], image['height']) == (64, 48)
        points = np.array(annotation['keypoints']).reshape(-1, 3)[:, :2]
        np.testing.assert_allclose(points, face(shift), rtol=0, atol=5.01e-4)
    folder = stills.dst / 'images' / 'afw'
    assert folder.is_symlink() == (mode == 'link')
    # A second run gives the same bytes.
    before = written['all'].read_bytes()
    convert(stills.src, stills.dst, images=mode)
    assert written['all'].read_bytes() == before


def test_copy_after_link_does_not_touch_the_source(stills):
    before = {p: p.read_bytes() for p in stills.src.rglob('*.*')}
    convert(stills.src, stills.dst)
    convert(stills.src, stills.dst, images='copy')
    copied = [stills.dst / name for name in NAMES]
    assert not any(path.is_symlink() for path in copied)
    assert {p: p.read_bytes() for p in stills.src.rglob('*.*')} == before


@pytest.mark.parametrize('base', [0, 1])
def test_base(stills, load, base):
    data = load(convert(stills.src, stills.dst, base=base)['all'])
    # The builder writes 1-based; mark 0 of single.jpeg is at (55, 27).
    first = data['annotations'][0]['keypoints'][:2]
    assert first == [56 - base, 28 - base]
    assert data['info']['base'] == base


SPLIT = (
    'file,split\nafw/7_1.jpg,train\nafw/7_2.jpg,train\n'
    'lfpw/image_0001.PNG,val\nsingle.jpeg,val\n'
)


@pytest.mark.parametrize('own', [False, True])
def test_split_file(stills, load, own):
    path = stills.csv(SPLIT)
    if own:
        # The source's own split.csv is taken when none is named.
        path.rename(stills.src / 'split.csv')
        path = None
    written = convert(stills.src, stills.dst, split=path, protocol='mine')
    assert {name: p.name for name, p in written.items()} == {
        'train': 'mine_train.json',
        'val': 'mine_val.json',
    }
    train = load(written['train'])
    assert train['info']['protocol'] == 'mine'
    assert [i['file_name'] for i in train['images']] == NAMES[1:3]
    assert len(load(written['val'])['images']) == 2


def test_images_without_marks_are_counted(stills, capsys):
    (stills.src / 'afw' / '7_2.pts').unlink()
    convert(stills.src, stills.dst)
    printed = capsys.readouterr().out
    assert '1 images without marks left out' in printed
    assert 'all: 3 images -> ' in printed


BROKEN = {
    'source is missing': (
        lambda t: shutil.rmtree(t.src),
        '',
        'no such folder',
    ),
    'no pairs': (
        lambda t: [p.unlink() for p in t.src.rglob('*.pts')],
        '',
        'holds no images with .pts files',
    ),
    'marks without image': (
        lambda t: (t.src / 'afw' / '7_2.jpg').unlink(),
        'afw/7_2.pts',
        'has no image beside it',
    ),
    'wrong number of points': (
        lambda t: (t.src / 'afw' / '7_2.pts').write_text('1 2\n3 4\n'),
        'afw/7_2.pts',
        'has 2 points where 68 are expected',
    ),
    'image unreadable': (
        lambda t: (t.src / 'afw' / '7_2.jpg').write_bytes(b'no image'),
        'afw/7_2.jpg',
        'is not a readable image',
    ),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_source_is_named(stills, case):
    change, where, says = BROKEN[case]
    change(stills)
    with pytest.raises(DataError) as caught:
        convert(stills.src, stills.dst)
    sentence = str(caught.value)
    assert sentence.startswith(f'{stills.src / where}: ')
    assert says in sentence and '; ' in sentence and '\n' not in sentence
    assert stills.left_behind() == []


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (SPLIT + 'afw/8.jpg,val\n', 'names afw/8.jpg, which is not in'),
        (SPLIT.replace('single.jpeg,val\n', ''), 'no row for single.jpeg'),
        (SPLIT.replace('file', 'name'), "has no column 'file'"),
    ],
)
def test_broken_list_is_named(stills, text, says):
    path = stills.csv(text)
    with pytest.raises(DataError) as caught:
        convert(stills.src, stills.dst, split=path)
    sentence = str(caught.value)
    assert sentence.startswith(f'{path}: ') and says in sentence
    assert stills.left_behind() == []


def test_command_line(stills, command_line):
    done = command_line('convert_300w', stills.src, stills.dst)
    assert done.returncode == 0, done.stderr
    assert 'all: 4 images -> ' in done.stdout
    (stills.src / 'afw' / '7_1.pts').write_text('')
    done = command_line('convert_300w', stills.src, stills.dst)
    assert done.returncode == 2
    assert done.stderr == (
        f'error: {stills.src}/afw/7_1.pts: is empty; repair or remove it\n'
    )


def test_real_faces(shared, tmp_path, load):
    source = shared / '300w'
    with (source / 'split.csv').open(newline='') as stream:
        rows = list(csv.DictReader(stream))[::40]
    src = tmp_path / 'src'
    for row in rows:
        target = src / row['file']
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source / row['file'], target)
        marks = (source / row['file']).with_suffix('.pts')
        os.symlink(marks, target.with_suffix('.pts'))
    with (src / 'split.csv').open('w', newline='') as stream:
        table = csv.DictWriter(stream, ['file', 'split'])
        table.writeheader()
        table.writerows(rows)

    written = convert(src, tmp_path / 'dst')
    assert set(written) == {row['split'] for row in rows}
    names = []
    for split, path in written.items():
        data = load(path)
        found = [i['file_name'][len('images/') :] for i in data['images']]
        side = [row['file'] for row in rows if row['split'] == split]
        assert sorted(found) == sorted(side)
        names += found
        for image, annotation in zip(data['images'], data['annotations']):
            # Crops of about twice the face: the face is well inside.
            x, y, w, h = annotation['bbox']
            centre = np.array([x + w / 2, y + h / 2])
            assert (centre > 0).all()
            assert (centre < [image['width'], image['height']]).all()
            assert max(w, h) < max(image['width'], image['height'])
    assert len(names) == len(rows)
