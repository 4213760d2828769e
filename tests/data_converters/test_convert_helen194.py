from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from data_converters.convert_helen194 import convert
from data_converters.errors import DataError


def marks(shift: float = 0) -> np.ndarray:
    """194 marks from corner to corner of the box (10, 5) to (50, 45)."""
    line = np.linspace(0, 40, 194)
    return np.stack([line + 10, line + 5], axis=1).round(2) + shift


def annotate(folder, number: int, name: str, points: np.ndarray) -> None:
    """A file as released: CRLF, the name, then pairs with a comma."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [name, *(f'{x:g} , {y:g}' for x, y in points)]
    (folder / f'{number}.txt').write_bytes('\r\n'.join(rows).encode())


@pytest.fixture
def helen(tree):
    """Two images for training, one for testing, and their marks."""
    names = {'train_1': '10_1', 'train_2': '9_2', 'test': '30_1'}
    for i, (folder, stem) in enumerate(names.items()):
        path = tree.src / folder / f'{stem}.jpg'
        path.parent.mkdir()
        cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
        annotate(tree.src / 'annotation', i + 1, stem, marks(i))
    return tree


def test_as_released(helen, load):
    before = {p: p.read_bytes() for p in helen.src.rglob('*.*')}
    written = convert(helen.src, helen.dst)
    folder = helen.dst / 'annotations'
    assert written == {
        'train': folder / 'helen194_train.json',
        'test': folder / 'helen194_test.json',
    }
    train, test = load(written['train']), load(written['test'])
    assert [i['file_name'] for i in train['images']] == [
        'images/train_1/10_1.jpg',
        'images/train_2/9_2.jpg',
    ]
    assert [i['file_name'] for i in test['images']] == ['images/test/30_1.jpg']
    for shift, annotation in enumerate(
        train['annotations'] + test['annotations']
    ):
        found = np.array(annotation['keypoints']).reshape(-1, 3)
        np.testing.assert_allclose(found[:, :2], marks(shift), atol=5e-4)
        assert (found[:, 2] == 2).all()
        assert annotation['bbox'] == [10 + shift, 5 + shift, 40, 40]
    (category,) = train['categories']
    assert category['keypoints'][193] == 'kpt-193'
    assert len(category['keypoints']) == 194 and category['skeleton'] == []
    assert (helen.dst / 'images/test/30_1.jpg').is_file()
    first = [path.read_bytes() for path in written.values()]
    convert(helen.src, helen.dst, images='copy')
    assert [path.read_bytes() for path in written.values()] == first
    assert {p: p.read_bytes() for p in helen.src.rglob('*.*')} == before


def test_list_of_test_names_base_and_marks_elsewhere(helen, load):
    (helen.src / 'testnames.txt').write_text('9_2\r\n')
    other = helen.src.parent / 'marks'
    (helen.src / 'annotation').rename(other)
    written = convert(helen.src, helen.dst, marks=other, base=1)
    (image,) = load(written['test'])['images']
    assert image['file_name'] == 'images/train_2/9_2.jpg'
    train = load(written['train'])
    # In order of the folders, test first: 30_1 is shifted by 2.
    assert train['annotations'][0]['keypoints'][:2] == [11, 6]
    assert train['info']['base'] == 1


def test_what_is_left_out_is_counted(helen, load, capsys):
    (helen.src / 'train_1' / '10_1.jpg').rename(helen.src / 'train_1/11.jpg')
    written = convert(helen.src, helen.dst)
    assert len(load(written['train'])['images']) == 1
    printed = capsys.readouterr().out
    assert '1 images without marks left out' in printed
    assert '1 marks without image left out' in printed


BROKEN = {
    'no annotation': (
        lambda t: shutil.rmtree(t.src / 'annotation'),
        'annotation',
        'no such folder; ',
    ),
    'no files of marks': (
        lambda t: [p.rename(f'{p}.old') for p in t.src.rglob('*.txt')],
        'annotation',
        'holds no files 1.txt ...; ',
    ),
    'no images': (
        lambda t: [p.unlink() for p in t.src.rglob('*.jpg')],
        '',
        'holds no folders of images; ',
    ),
    'other images': (
        lambda t: [p.rename(f'{p}.png') for p in t.src.rglob('*.jpg')],
        '',
        'holds none of the images of ',
    ),
    'image twice': (
        lambda t: shutil.copy(t.src / 'test/30_1.jpg', t.src / 'train_1'),
        'train_1/30_1.jpg',
        'has the name of ',
    ),
    'marked twice': (
        lambda t: annotate(t.src / 'annotation', 7, '30_1.jpg', marks()),
        'annotation/7.txt',
        'marks the same image as 3.txt; ',
    ),
    'number of points': (
        lambda t: annotate(t.src / 'annotation', 2, '9_2', marks()[:193]),
        'annotation/2.txt',
        'has 193 points where 194 are expected; ',
    ),
    'not a number': (
        lambda t: (t.src / 'annotation/2.txt').write_text('9_2\n1 , x'),
        'annotation/2.txt',
        "'1   x' is not a pair of numbers; ",
    ),
    'empty file': (
        lambda t: (t.src / 'annotation/2.txt').write_text('\n'),
        'annotation/2.txt',
        'is empty; ',
    ),
    'image unreadable': (
        lambda t: (t.src / 'test/30_1.jpg').write_bytes(b'no image'),
        'test/30_1.jpg',
        'is not a readable image; ',
    ),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_source_is_named(helen, case):
    change, where, says = BROKEN[case]
    change(helen)
    with pytest.raises(DataError) as caught:
        convert(helen.src, helen.dst)
    sentence = str(caught.value)
    assert sentence.startswith(f'{helen.src / where}: {says}')
    assert '; ' in sentence and '\n' not in sentence
    assert helen.left_behind() == []


def test_command_line(helen, command_line):
    done = command_line('convert_helen194', helen.src, helen.dst)
    assert done.returncode == 0, done.stderr
    assert 'train: 2 images -> ' in done.stdout
