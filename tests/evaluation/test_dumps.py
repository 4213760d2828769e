"""Dumps are enough to measure alone, and run nothing when they are read."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from builders import random_samples
from made_up import random_faces, stills_of
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.structures import InstanceData, PixelData

from rednet_mm.analysis import compare
from rednet_mm.evaluation import (
    DumpPredictions,
    FaceLandmarkMetric,
    evaluate,
    named_protocol,
    read_dump,
)
from rednet_mm.evaluation.dumps import write_npz


def predicted(number=12):
    """Samples of two videos whose frames come mixed, with heavy maps."""
    prediction, truth = random_faces(number)
    samples = random_samples(number)
    for n, sample in enumerate(samples):
        video, frame = divmod(n, number // 2)
        sample.gt_instances.keypoints = truth[n][None].astype(np.float32)
        sample.pred_instances = InstanceData(
            keypoints=prediction[n][None], keypoint_scores=np.ones((1, 68))
        )
        sample.pred_fields = PixelData(heatmaps=torch.zeros(68, 32, 32))
        sample.set_metainfo(
            dict(
                img_path=f'data/{video}/{frame:03d}.jpg',
                track=(video, 0),
                video_id=video,
                frame_id=frame,
                category=1 + video,
            )
        )
    return samples[::2] + samples[1::2]


def written(metric, samples):
    evaluator = Evaluator([FaceLandmarkMetric(groups='category'), metric])
    evaluator.process(samples, None)
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('suffix', ['.npz', '.pkl'])
def test_a_dump_is_enough(tmp_path, suffix):
    path = tmp_path / f'new/a{suffix}'
    about = dict(config='c.py', checkpoint='e.pth', commit='abc', seed='0')
    metrics = written(DumpPredictions(str(path), about), predicted())
    assert os.listdir(path.parent) == [path.name]
    records = read_dump(str(path))
    assert records.name == 'a' and records.provenance == about
    assert records.frame_ids.tolist() == [*range(6)] * 2
    found = evaluate(records, named_protocol('300vw'))
    for name in ('NME', 'NME_std', 'motion', 'acceleration'):
        assert metrics[f'face/{name}'] == found.metrics[name]
    assert metrics['face/challenging/NME'] == found.groups['challenging'][
        'NME'
    ]  # fmt: skip
    # Maps would be 68 * 32 * 32 numbers a frame.
    assert path.stat().st_size < 12 * 8000


def test_what_mmengine_dumps_gives_the_same(tmp_path):
    ours, theirs = tmp_path / 'ours.npz', tmp_path / 'theirs.pkl'
    written(DumpPredictions(str(ours)), predicted())
    written(DumpResults(str(theirs)), predicted())
    one, two = read_dump(str(ours)), read_dump(str(theirs))
    np.testing.assert_array_equal(one.prediction, two.prediction)
    np.testing.assert_array_equal(one.truth, two.truth)
    assert one.keys == two.keys and one.track_names == two.track_names
    found = compare([one, two], named_protocol('rednet'), 20)
    assert found.difference(1, 'NME') == (0, 0, 0)


def test_predictions_that_are_tensors(tmp_path):
    path = tmp_path / 'tensors.pkl'
    samples = predicted()
    expected = samples[0].pred_instances.keypoints
    for sample in samples:
        sample.pred_instances.keypoints = torch.tensor(
            sample.pred_instances.keypoints
        )
    path.write_bytes(pickle.dumps([each.to_dict() for each in samples]))
    found = read_dump(str(path)).prediction[0]
    np.testing.assert_allclose(found, expected[0], rtol=1e-6)


class Evil:
    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'call, arguments',
    [
        (os.system, ('touch pwned',)),
        (eval, ("open('pwned', 'w')",)),
        (getattr, ('', 'join')),
        (torch.load, ('pwned',)),
        (np.load, ('pwned',)),
        (pickle.loads, (b'',)),
    ],
)
def test_a_pickle_that_wants_to_run_something(
    tmp_path, monkeypatch, call, arguments
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps([Evil(call, *arguments)]))
    with pytest.raises(ValueError) as caught:
        read_dump(str(path))
    sentence = str(caught.value)
    assert 'evil.pkl' in sentence and 'it asks for' in sentence
    assert '\n' not in sentence
    assert os.listdir(tmp_path) == ['evil.pkl']


def test_a_tensor_whose_bytes_want_to_run_something(tmp_path, monkeypatch):
    # torch unpickles the bytes of a storage; so would we, but for weights.
    monkeypatch.chdir(tmp_path)
    bytes_ = pickle.dumps(Evil(os.system, 'touch pwned'))
    tensor = Evil(
        torch._utils._rebuild_tensor_v2,
        Evil(torch.storage._load_from_bytes, bytes_),
        *(0, (1, 68, 2), (136, 2, 1), False, {}),
    )
    frame = dict(
        img_path='a.jpg',
        gt_instances=dict(
            keypoints=np.zeros((1, 68, 2)), keypoints_visible=np.ones((1, 68))
        ),
        pred_instances=dict(keypoints=tensor),
    )
    (tmp_path / 'evil.pkl').write_bytes(pickle.dumps([frame]))
    with pytest.raises(ValueError, match='evil.pkl: a tensor in the file'):
        read_dump('evil.pkl')
    assert os.listdir(tmp_path) == ['evil.pkl']


def test_arrays_of_objects_are_refused(tmp_path):
    records = stills_of(*random_faces(2))
    path = tmp_path / 'a.npz'
    write_npz(records, str(path))
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, 'groups': np.array([Evil(print), None])})
    with pytest.raises(ValueError, match=r'a.npz is not a whole file'):
        read_dump(str(path))


@pytest.mark.parametrize(
    'name, content, said',
    [
        ('a.pkl', b'\x80\x04]', 'is not a whole file'),
        ('a.pkl', b'', 'is not a whole file'),
        ('a.npz', b'PK\x03\x04', 'is not a whole file'),
        ('a.npz', b'nothing', 'is not a whole file'),
        ('a.pkl', pickle.dumps(3), 'holds no predictions'),
        ('a.pkl', pickle.dumps([{}]), 'holds no predictions'),
        ('a.pkl', pickle.dumps([]), 'there are no frames'),
        ('a.json', json.dumps([]).encode(), 'is not a dump'),
    ],
)
def test_what_is_no_dump(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_dump(str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match='make it with tools/test.py'):
        read_dump(str(tmp_path / 'b.npz'))
