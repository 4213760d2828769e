from __future__ import annotations

import numpy as np
from source_trees import (
    helen_marks,
)

from data_converters.convert_helen194 import convert


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
        np.testing.assert_allclose(found[:, :2], helen_marks(shift), atol=5e-4)
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
    assert '1 images without keypoints left out' in printed
    assert '1 keypoints without image left out' in printed


def test_command_line(helen, command_line):
    done = command_line('convert_helen194', helen.src, helen.dst)
    assert done.returncode == 0, done.stderr
    assert 'train: 2 images -> ' in done.stdout
