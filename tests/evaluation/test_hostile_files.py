"""Hostile predictions and dumps: what fuzzing found, each by little input."""

from __future__ import annotations

import json
import pickle
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import write_stills
from made_up import random_faces, videos_of

from rednet_mm.evaluation import read_dump, read_predictions
from rednet_mm.evaluation.dumps import write_npz
from rednet_mm.utils.errors import UserError

sys.path.insert(0, str(Path(__file__).parents[1] / 'fuzz'))

from arrays import GREEDY_PICKLES, bomb, lying_npz, samples

FILE = 'images/all_0.jpg'


def refused(call, *arguments) -> str:
    """The sentence of an error, which is one and short."""
    with pytest.raises(UserError) as caught:
        call(*arguments)
    sentence = str(caught.value)
    assert '\n' not in sentence and len(sentence) < 1000
    return sentence


# -- predictions and annotations -----------------------------------------


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / 'annotations/all.json'
    write_stills(path, images=1)
    return path


def change(path, section, **fields):
    content = json.loads(path.read_text())
    content[section][0].update(fields)
    path.write_text(json.dumps(content))


def predicted(path, annotations):
    return read_predictions(str(path), str(annotations))


def write(tmp_path, frame, **more):
    path = tmp_path / 'a.json'
    frame = dict(file_name=FILE, keypoints=[[1, 1]] * 68) | frame
    path.write_text(json.dumps(dict(frames=[frame], **more)))
    return path


@pytest.mark.parametrize('about', [[1], 'x', 3])
def test_about_that_is_no_object(tmp_path, annotations, about):
    assert len(predicted(write(tmp_path, {}, about=about), annotations)) == 1


@pytest.mark.parametrize(
    'frame, says',
    [
        (dict(keypoints=5), 'are not pairs of numbers'),
        (dict(keypoints=[10**400]), 'are not pairs of numbers'),
        (dict(file_name=[1]), 'is not a file of predictions'),
        (dict(file_name=None), 'is not a file of predictions'),
        (dict(id='x' * 5000), "xxx..., or it is predicted twice"),
    ],
)  # fmt: skip
def test_frames(tmp_path, annotations, frame, says):
    assert says in refused(predicted, write(tmp_path, frame), annotations)


@pytest.mark.parametrize(
    'section, fields',
    [
        ('images', dict(file_name='../outside.jpg')),
        ('images', dict(file_name='/etc/passwd')),
        ('images', dict(file_name=3)),
        ('images', dict(frame_id=10**400, video_id=1)),
        ('annotations', dict(bbox=[1, 2])),
        ('annotations', dict(bbox=[10**400] * 4)),
        ('annotations', dict(keypoints=[])),
        ('annotations', dict(keypoints=[float('nan')] * 204)),
        ('annotations', dict(yaw=[1])),
        ('annotations', dict(box_size='x')),
    ],
)
def test_annotations(tmp_path, annotations, section, fields):
    change(annotations, section, **fields)
    says = refused(predicted, write(tmp_path, {}), annotations)
    assert 'all.json is not an annotation file of the converters' in says


def test_annotations_without_a_face(tmp_path, annotations):
    annotations.write_text('{"images": [], "annotations": []}')
    says = refused(predicted, write(tmp_path, {}), annotations)
    assert 'all.json has no faces' in says


def test_nested_deeper_than_python_recurses(tmp_path, annotations):
    path = tmp_path / 'a.json'
    path.write_text('[' * 100_000)
    assert 'a.json is not predictions in JSON' in refused(
        predicted, path, annotations
    )


def csv_of(tmp_path, encoding, cell='1'):
    path = tmp_path / 'a.csv'
    head = ','.join(f'x{k},y{k}' for k in range(68))
    row = ','.join([cell] * 136)
    path.write_text(f'file_name,{head}\n{FILE},{row}\n', encoding=encoding)
    return path


def test_csv_as_tables_write_it(tmp_path, annotations):
    path = csv_of(tmp_path, 'utf-8-sig')
    assert (predicted(path, annotations).prediction == 1).all()


def test_csv_in_another_coding_or_with_a_huge_cell(tmp_path, annotations):
    for coding, cell in (('utf-16', '1'), ('utf-8', '1' * 140_000)):
        path = csv_of(tmp_path, coding, cell)
        says = refused(predicted, path, annotations)
        assert 'a.csv is not a CSV file in UTF-8' in says


def test_csv_of_empty_lines_takes_no_memory(tmp_path, annotations):
    path = csv_of(tmp_path, 'utf-8')
    with path.open('a') as stream:
        stream.write('\n' * 100_000)
    tracemalloc.start()
    records = predicted(path, annotations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A list of a line alone is 56 bytes: 5.6 MB, and 0.8 MB of references.
    assert len(records) == 1 and peak < 3e6


# -- dumps --------------------------------------------------


@pytest.mark.parametrize('content', GREEDY_PICKLES)
def test_pickles_that_ask_for_much(tmp_path, content):
    # Each would take gigabytes, or minutes, or both.
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    says = refused(read_dump, str(path))
    assert 'a.pkl is not a whole file of predictions' in says


class Call:
    """Pickled as a call of anything with anything."""

    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'value',
    [
        Call(np.core.multiarray._reconstruct, np.ndarray, (10**10,), b'd'),
        Call(np.ndarray, (10**10,)),
        Call(frozenset, range(9)),
        np.array([object]),
    ],
)
def test_arrays_that_are_not_as_numpy_writes_them(tmp_path, value):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([value], protocol=4))
    refused(read_dump, str(path))


class Parts:
    """Pickled as torch pickles a tensor, of another size."""

    def __init__(self, tensor, size):
        self.tensor, self.size = tensor, size

    def __reduce__(self):
        call, (storage, *_) = self.tensor.__reduce_ex__(2)
        return call, (storage, 0, self.size, (2, 2, 1), False, {})


def test_tensor_larger_than_its_storage(tmp_path):
    # torch would make the storage as large as the tensor says to be.
    frames = samples(1)
    path = tmp_path / 'a.pkl'
    for points, read in ((68, True), (10**10, False)):
        tensor = Parts(torch.ones(136), (1, points, 2))
        frames[0]['pred_instances']['keypoints'] = tensor
        path.write_bytes(pickle.dumps(frames))
        if read:
            assert (read_dump(str(path)).prediction == 1).all()
        else:
            assert 'a tensor in the file is' in refused(read_dump, str(path))


@pytest.mark.parametrize(
    'place, value',
    [
        ('gt_instances', dict(keypoints=np.zeros((1, 68, 3)))),
        ('pred_instances', dict(keypoints=10**400)),
        ('img_path', ['a']),
        ('frame_id', 10**400),
        ('yaw', 'x'),
    ],
)
def test_frames_of_another_form(tmp_path, place, value):
    frames = samples(1)
    if isinstance(value, dict):
        value = frames[0][place] | value
    frames[0][place] = value
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(frames))
    if place == 'img_path':
        # A list is taken as its text.
        assert read_dump(str(path)).image_paths == ("['a']",)
    else:
        refused(read_dump, str(path))


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / 'a.npz'
    write_npz(videos_of(*random_faces(4), [2, 2]), str(path))
    return path


def test_archives_that_ask_for_much(npz):
    npz.write_bytes(lying_npz(npz.read_bytes(), 'prediction', 10**12))
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))
    npz.write_bytes(bomb(300))  # MB, of which 0.3 are in the file
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))
    npz.write_bytes(b'')
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))


@pytest.mark.parametrize(
    'name, array',
    [
        ('boxes', np.zeros((3, 4))),
        ('prediction', np.zeros((4, 68, 3))),
        ('truth', np.zeros(4)),
        ('groups', np.zeros(4)),
        ('tracks', np.array([0, 0, 1, 2])),
        ('clusters', np.array([0, 0, 1, -1])),
    ],
)
def test_arrays_that_do_not_go_together(npz, name, array):
    with np.load(npz) as stored:
        arrays = dict(stored)
    np.savez(npz, **(arrays | {name: array}))
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))


@pytest.mark.parametrize(
    'field, value',
    [
        ('points', [68] * 68),
        ('keys', [['a', 'b']]),
        ('keys', [['a']] * 4),
        ('image_paths', [1] * 4),
        ('provenance', [1]),
        ('name', None),
    ],
)
def test_words_that_do_not_go_together(npz, field, value):
    with np.load(npz) as stored:
        arrays = dict(stored)
    about = json.loads(str(arrays['about'])) | {field: value}
    np.savez(npz, **(arrays | {'about': np.array(json.dumps(about))}))
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))


def test_archive_with_something_else_in_it(npz):
    with zipfile.ZipFile(npz, 'a') as stored:
        stored.writestr('x.npy', b'no array')
    assert 'is not a whole file of predictions' in refused(read_dump, str(npz))
