from __future__ import annotations

import csv
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from source_trees import (
    SPLIT_OF_STILLS,
)

from data_converters.convert_300w import (
    LISTS,
    PARTS,
    convert,
    part_of,
    photo_of,
)
from data_converters.errors import DataError

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


@pytest.mark.parametrize('own', [False, True])
def test_split_file(stills, load, own):
    path = stills.csv(SPLIT_OF_STILLS)
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


# Folders as released, deeper and flat; what they are called in PARTS.
RELEASED = {
    'afw': 'afw',
    'helen/trainset': 'helen_train',
    'LFPW/trainset': 'lfpw_train',
    'helen/testset': 'helen_test',
    'lfpw_test': 'lfpw_test',
    'ibug': 'ibug',
    '300W/02_Outdoor': 'outdoor',
}


def test_parts_by_folders():
    for folder, part in RELEASED.items():
        assert part_of(f'{folder}/image_0001.jpg') == part
    for folder in ('xafw', 'helen', 'train', 'lfw_test'):
        assert part_of(f'{folder}/x.jpg') is None


@pytest.mark.parametrize(
    ('name', 'photo'),
    [
        ('afw/134212_1.jpg', '134212'),
        ('afw/134212_12.jpg', '134212'),
        ('ibug/image_003_1.jpg', 'image_003'),
        ('lfpw/trainset/image_0001.png', 'image_0001'),
        ('300W/01_Indoor/indoor_001.png', 'indoor_001'),
    ],
)
def test_photos(name, photo):
    assert photo_of(name) == photo


def test_lists_of_300w(tree, load, capsys):
    for shift, folder in enumerate([*RELEASED, 'xm2vts']):
        tree.still(f'{folder}/image_000{shift}.jpg', shift)
    tree.csv('of another use').rename(tree.src / 'split.csv')
    written = convert(tree.src, tree.dst, lists=True)
    assert {name: p.name for name, p in written.items()} == {
        name: f'300w_{name}.json'
        for name in ('train', 'common', 'challenging', 'test', 'full')
    }
    files, groups = {}, {}
    for name, path in written.items():
        data = load(path)
        files[name] = [i['file_name'].split('/', 1)[1] for i in data['images']]
        groups[name] = [image['group'] for image in data['images']]
        for image in data['images']:
            assert (tree.dst / image['file_name']).is_file()
    assert files['train'] == [
        'afw/image_0000.jpg',
        'LFPW/trainset/image_0002.jpg',
        'helen/trainset/image_0001.jpg',
    ]
    assert files['common'] == [
        'lfpw_test/image_0004.jpg',
        'helen/testset/image_0003.jpg',
    ]
    assert files['challenging'] == ['ibug/image_0005.jpg']
    assert files['full'] == files['common'] + files['challenging']
    assert groups['full'] == ['common', 'common', 'challenging']
    assert files['test'] == ['300W/02_Outdoor/image_0006.jpg']
    printed = capsys.readouterr().out
    assert 'not in the source: indoor\n' in printed
    assert 'helen_train: 1 of 2000 faces are in the source' in printed
    assert 'xm2vts: 1 images of no list left out' in printed
    assert not (tree.dst / 'images' / 'xm2vts').exists()


def test_no_full_list_of_a_half(stills):
    assert set(convert(stills.src, stills.dst, lists=True)) == {'train'}
    stills.still('ibug/image_003_1.jpg')
    written = convert(stills.src, stills.dst, lists=True)
    assert set(written) == {'train', 'challenging'}


def test_numbers_of_300w():
    # 3,148 for training, 554 + 135 = 689 for testing, 600 of the challenge.
    sizes = {
        name: sum(PARTS[part] for part in parts)
        for name, parts in LISTS.items()
    }
    assert sizes == dict(train=3148, common=554, challenging=135, test=600)


@pytest.mark.parametrize('lists', [False, True])
def test_val_keeps_the_faces_of_a_photo_together(tree, load, lists):
    for photo in range(12):
        for face in (1, 2):
            tree.still(f'afw/{photo}_{face}.jpg')
    tree.still('ibug/image_003_1.jpg')
    options = dict(lists=lists, val=50)
    written = convert(tree.src, tree.dst, **options)
    photos = {}
    for name, path in written.items():
        data = load(path)
        found = [photo_of(image['file_name']) for image in data['images']]
        photos[name] = found
        assert data['info']['split_rule'].startswith('50 % of the images')
    # By CRC-32 of the names '0' ... '11' (and 'image_003') % 10,000 < 5,000.
    crc = {str(i): zlib.crc32(str(i).encode()) % 10_000 for i in range(12)}
    val = {photo for photo, place in crc.items() if place < 5000}
    assert 2 < len(val) < 10
    assert set(photos['val']) - {'image_003'} == val
    assert not set(photos['train']) & set(photos['val'])
    assert all(
        found.count(p) == 2
        for found in photos.values()
        for p in crc
        if p in found
    )
    assert ('challenging' in written) == lists
    assert ('image_003' in photos['train'] + photos['val']) != lists
    assert len(photos['train']) + len(photos['val']) == 24 + (not lists)


def test_seven_marks_have_the_box_of_all(stills, load):
    whole = load(convert(stills.src, stills.dst)['all'])
    seven = load(convert(stills.src, stills.dst, points=7)['all'])
    names = ['LELC', 'LERC', 'RELC', 'RERC', 'NC', 'MLC', 'MRC']
    assert seven['categories'][0]['keypoints'] == names
    for one, other in zip(whole['annotations'], seven['annotations']):
        points = np.array(one['keypoints']).reshape(-1, 3)
        chosen = points[[36, 39, 42, 45, 30, 48, 54]]
        assert other['keypoints'] == chosen.ravel().tolist()
        assert other['num_keypoints'] == 7
        for key in ('bbox', 'area', 'center', 'scale', 'box_size'):
            assert one[key] == other[key]


def test_options_that_split_twice(stills):
    path = stills.csv(SPLIT_OF_STILLS)
    with pytest.raises(DataError, match=f'^{path}: splits .* where --lists'):
        convert(stills.src, stills.dst, split=path, lists=True)
    with pytest.raises(DataError, match='is split by a list already; '):
        convert(stills.src, stills.dst, split=path, val=10)
    with pytest.raises(DataError, match='none of the folders of 300-W'):
        convert(stills.src / 'afw', stills.dst, lists=True)
    for wrong in (dict(points=5), dict(val=101)):
        with pytest.raises(ValueError, match='is neither|is not from'):
            convert(stills.src, stills.dst, **wrong)
    assert stills.left_behind() == []


def test_images_without_marks_are_counted(stills, capsys):
    (stills.src / 'afw' / '7_2.pts').unlink()
    convert(stills.src, stills.dst)
    printed = capsys.readouterr().out
    assert '1 images without keypoints left out' in printed
    assert 'all: 3 images -> ' in printed


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


def test_faces_with_the_original_headers(shared, tmp_path, load):
    """Ten faces of AFW as released; the numbers are those of the files."""
    source = shared / 'fixtures' / '300w_original_headers'
    data = load(convert(source, tmp_path / 'dst')['all'])
    assert len(data['images']) == len(data['annotations']) == 10
    for image, annotation in zip(data['images'], data['annotations']):
        pts = source / Path(image['file_name']).with_suffix('.pts').name
        # The first mark stands in line 4 and is 1-based.
        first = [float(x) - 1 for x in pts.read_text().split('\n')[3].split()]
        assert annotation['keypoints'][:2] == pytest.approx(first, abs=5e-4)


def test_protocol_becomes_part_of_a_name(stills, command_line):
    done = command_line(
        'convert_300w', stills.src, stills.dst, '--protocol', '../x'
    )
    assert done.returncode == 2
    assert "'../x' cannot be part of a file's name" in done.stderr
    assert not stills.dst.exists()
