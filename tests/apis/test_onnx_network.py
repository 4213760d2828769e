"""The exported network: the same places as PyTorch, and one clear sentence."""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import build_model, tiny_model_cfg, tracker_config

from rednet_mm.apis import (
    FaceResult,
    LandmarkTracker,
    OnnxNetwork,
    TorchNetwork,
    onnx_export,
    onnx_network,
)
from rednet_mm.errors import UserError
from rednet_mm.models.layers import StepBatchNorm2d

onnx = pytest.importorskip('onnx', reason='onnx is not installed')
# The tests tell nobody that they run, as the package does.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')

ROOT = Path(__file__).parents[2]
SIZE, FRAMES = 64, 100


def film(faces: int, frames: int, seed: int = 0) -> np.ndarray:
    """Blurred noise that drifts, (frames, faces, SIZE, SIZE, 3), uint8.

    Args:
        faces: Each with noise of its own.
        frames: One further pixel to the left each.
        seed: Of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(faces * 3, SIZE, SIZE + frames, generator=generator)
    for _ in range(4):
        noise = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)
    noise = (noise / noise.std() * 50 + 128).clamp(0, 255).byte()
    noise = noise.view(faces, 3, SIZE, SIZE + frames)
    crops = [noise[..., t : t + SIZE] for t in range(frames)]
    return torch.stack(crops).permute(0, 1, 3, 4, 2).contiguous().numpy()


def give_peaks(model: torch.nn.Module) -> None:
    """Make an untrained model draw maps with peaks in them.

    As it comes, its maps are flat, and where the maximum of a flat map lies
    is decided by the last bit. Here the running statistics become those of
    four crops, so that activations vary from pixel to pixel, and the last
    convolutions are scaled until the maps do too: by 0.3 about zero, logits
    by 1. The highest of a thousand pixels stands out by some three times
    that.
    """
    crops = torch.from_numpy(film(4, 1, seed=1)[0]).permute(0, 3, 1, 2)
    frames = model.data_preprocessor(dict(inputs=[crops]))['inputs'][0]
    for norm in model.modules():
        if isinstance(norm, StepBatchNorm2d):
            norm.momentum = 1.0
    for step, kind in enumerate(model.head.steps):
        maps = model.train().unroll(frames[:, None])[0][step]
        final, wanted = model.head.final[kind], 1 if kind == 'det' else 0.3
        scale = wanted / maps.std()
        final.weight.mul_(scale)
        final.bias.sub_(maps.mean()).mul_(scale)
    model.eval()


def torch_network(folder: Path, **model) -> TorchNetwork:
    """A tiny network with peaks in its maps; ``weights.pth`` in ``folder``."""
    config = tracker_config(SIZE, tracker=dict(min_score=0.25))
    backbone = model.pop('backbone', {})
    config.model = tiny_model_cfg(size=SIZE, **model)
    config.model.backbone = backbone or config.model.backbone
    built = build_model(config.model)
    with torch.no_grad():
        give_peaks(built)
    weights = folder / 'weights.pth'
    torch.save(dict(state_dict=built.state_dict()), weights)
    config.dump(folder / 'tiny.py')
    return TorchNetwork(config, str(weights))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """With tiny.py, weights.pth and tiny.onnx, by the command line."""
    return tmp_path_factory.mktemp('onnx')


@pytest.fixture(scope='module')
def original(folder):
    return torch_network(folder)


@pytest.fixture(scope='module')
def exported(folder, original):
    names = [str(folder / name) for name in ('tiny.py', 'weights.pth')]
    path = folder / 'tiny.onnx'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['export_onnx.py', *names, str(path)])
        tool = ROOT / 'tools' / 'export_onnx.py'
        runpy.run_path(str(tool), run_name='__main__')
    assert not list(folder.glob('*.part*'))
    return path


@pytest.fixture(scope='module')
def network(exported):
    return OnnxNetwork(str(exported), threads=1)


def follow(network, crops, states=None):
    """Keypoints, scores and spreads of a film, and the last states."""
    states, results = states or [None] * crops.shape[1], []
    for frame in crops:
        result, states = network.run(frame, states)
        results.append(result)
    names = ('keypoints', 'scores', 'spreads')
    return [np.stack([getattr(r, n) for r in results]) for n in names], states


def test_landmarks_are_pytorchs_over_a_hundred_frames(original, network):
    crops = film(1, FRAMES)
    (places, scores, spreads), _ = follow(network, crops)
    # PyTorch reads it as one clip, which is what its frames give one by one.
    model, clip = original.model, torch.from_numpy(crops[:, 0])
    frames = model.data_preprocessor(dict(inputs=[clip.permute(0, 3, 1, 2)]))
    with torch.no_grad():
        outputs, _, _ = model.unroll(frames['inputs'])
        theirs = [each.numpy() for each in model.head.locate(outputs[-1])]
    # There are peaks, they move, and what is carried over decides.
    assert np.median(theirs[1]) > 0.3
    assert theirs[0].std(0).mean() > 1
    alone, _ = original.run(crops[-1], [None])
    assert np.abs(alone.keypoints[0] - theirs[0][-1]).max() > 1e-2
    assert np.abs(places[:, 0] - theirs[0]).max() < 1e-3
    assert np.abs(scores[:, 0] - theirs[1]).max() < 1e-4
    np.testing.assert_allclose(spreads[:, 0], theirs[2], rtol=1e-3)


def test_the_file_says_all_about_itself(original, network, exported):
    for name in ('input_size', 'num_keypoints', 'padding', 'settings'):
        assert getattr(network, name) == getattr(original, name)
    about = {p.key: p.value for p in onnx.load(exported).metadata_props}
    assert about['config'] == '"tiny"'
    assert about['steps'] == '["det", "reg"]'
    assert torch.__version__ in about['versions']


def test_the_example_of_the_documentation_runs_without_torch(
    network, exported, monkeypatch
):
    blocks = (ROOT / 'docs' / 'onnx.md').read_text().split('```python\n')
    example = blocks[-1].split('```')[0]
    for name in ('torch', 'mmpose', 'rednet_mm'):
        monkeypatch.setitem(sys.modules, name, None)
    known: dict = {}
    exec(example.replace('network.onnx', str(exported)), known)
    # Three frames without anything in them.
    crops, states = np.zeros((2, SIZE, SIZE, 3), np.uint8), [None] * 2
    for _ in range(3):
        result, states = network.run(crops, states)
    np.testing.assert_array_equal(known['found']['scores'], result.scores)


def test_faces_of_one_batch_do_not_touch(network):
    crops = film(3, 3)
    _, states = follow(network, crops)
    before = [[part.copy() for part in state] for state in states]
    # The second is lost, the others change places, one is new.
    several, _ = network.run(crops[0][[2, 1, 0]], [states[2], None, states[0]])
    for face, state in ((2, states[2]), (1, None), (0, states[0])):
        alone, after = network.run(crops[0][face : face + 1], [state])
        row = {2: 0, 1: 1, 0: 2}[face]
        np.testing.assert_allclose(
            several.keypoints[row], alone.keypoints[0], atol=1e-3
        )
        # Of constant size: 2 steps, 256 units, for hidden and cell; its own.
        assert [part.shape for part in after[0]] == [(2, 256)] * 2
        assert all(part.base is None for part in after[0])
    for state, old in zip(states, before):
        np.testing.assert_array_equal(state, old)
    first, _ = network.run(crops[0][:1], [None])
    known, _ = network.run(crops[0][:1], [states[0]])
    assert np.abs(first.keypoints - known.keypoints).max() > 1e-3


def test_a_tracker_takes_either_network(original, network):
    frames = film(1, 3)[:, 0]
    box = np.array([[4, 6, 50, 50]])
    followed = [
        list(LandmarkTracker(each, None).track(frames, box))
        for each in (original, network)
    ]
    for (theirs,), (ours,) in zip(*followed):
        assert ours.id == theirs.id
        np.testing.assert_allclose(ours.keypoints, theirs.keypoints, atol=1e-2)


@pytest.mark.parametrize(
    ('model', 'parts'),
    [
        (dict(feedback='input', unpool='broadcast'), 2),
        (dict(init_from='previous', recurrent=False), 1),
        (dict(init_from='previous', steps=('reg',)), 3),
        (dict(feedback=None, neck=None, steps=('det',)), 0),
        pytest.param(
            dict(
                backbone=dict(type='REDNetVGG', feedback=None),
                steps=('reg',),
            ),
            2,
            marks=pytest.mark.slow,
        ),
    ],
    ids=['input', 'previous', 'previous_lstm', 'no_state', 'vgg'],
)
def test_other_networks_are_the_same_too(tmp_path, model, parts):
    original = torch_network(tmp_path, **model)
    path = tmp_path / 'out' / 'network.onnx'
    onnx_export.export_onnx(original, str(path), 'test')
    network = OnnxNetwork(str(path), threads=1)
    original.keep_maps = True
    ours: list = [None] * 2
    theirs: list = [None] * 2
    distances, heights = [], []
    for frame, crops in enumerate(film(2, 3)):
        warps = np.eye(3, dtype=np.float32)[None, :2].repeat(2, 0)
        warps[:, :, 2] = 3 * frame
        result, ours = network.run(crops, ours, warps)
        wanted, theirs = original.run(crops, theirs, warps)
        distances.append(
            onnx_export.apart(wanted, result.keypoints, network.input_size)
        )
        heights.append(np.median(wanted.scores))
        assert np.abs(result.scores - wanted.scores).max() < 1e-4
    assert [len(state) for state in ours] == [parts] * 2
    assert min(heights) > 0.3
    # What the export itself demands.
    far = np.quantile(distances, 1 - onnx_export.TIES)
    assert far < onnx_export.TOLERANCE


def test_either_of_two_equal_maxima_is_right():
    # A map of 8 x 8 for a crop of 15 x 15: two input pixels a map pixel.
    maps = np.zeros((1, 1, 8, 8), np.float32)
    maps[0, 0, 2, 3] = maps[0, 0, 6, 6] = 0.5
    maps[0, 0, 0, 7] = 0.4
    found = FaceResult(np.array([[[6.0, 4.0]]]), np.ones((1, 1)), maps, maps)

    def far(x, y):
        place = np.array([[[x, y]]], float)
        return onnx_export.apart(found, place, (15, 15)).item()

    assert far(12, 12) == 0
    assert far(14, 0) == 8
    # Beside the same maximum it is the distance that counts.
    assert far(6.5, 4) == 0.5


@pytest.mark.slow
def test_a_vgg_of_several_steps_remembers_the_same(tmp_path):
    # With peaks in its maps an untrained one is not to be compared by its
    # landmarks: noise of a millionth in the input moves PyTorch's own by
    # twenty pixels, where pooled maxima change places. What the bottleneck
    # of both steps hands on tells.
    config = tracker_config(SIZE)
    config.model = tiny_model_cfg(size=SIZE)
    config.model.backbone = dict(type='REDNetVGG')
    weights = tmp_path / 'weights.pth'
    torch.save(
        dict(state_dict=build_model(config.model).state_dict()), weights
    )
    original = TorchNetwork(config, str(weights))
    path = tmp_path / 'network.onnx'
    onnx_export.export_onnx(original, str(path), 'test')
    network = OnnxNetwork(str(path), threads=1)
    crops = film(2, 3)
    (_, scores, _), ours = follow(network, crops)
    (_, wanted, _), theirs = follow(original, crops)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    for (hidden, cell), state in zip(ours, theirs):
        # (K, C) beside (K, 1, C); the two steps differ, and so do faces.
        known = state.hidden[:, 0].numpy()
        assert np.abs(known[0] - known[1]).max() > 1e-3
        np.testing.assert_allclose(hidden, known, atol=1e-5)
        np.testing.assert_allclose(cell, state.cell[:, 0].numpy(), atol=1e-5)
    assert np.abs(ours[0][0] - ours[1][0]).max() > 1e-3


def test_a_file_that_fails_its_check_does_not_appear(
    original, exported, tmp_path, monkeypatch
):
    path = tmp_path / 'network.onnx'
    # The tracing is done once, and the same again here.
    monkeypatch.setattr(
        onnx_export, '_trace', lambda _, part: shutil.copy(exported, part)
    )
    path.write_text('what was there before')
    monkeypatch.setattr(onnx_export, 'TOLERANCE', -1.0)
    with pytest.raises(UserError, match='no file was written'):
        onnx_export.export_onnx(original, str(path), 'test')
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == 'what was there before'


def test_damaged_files_are_one_sentence(exported, tmp_path):
    path = tmp_path / 'network.onnx'
    whole = exported.read_bytes()
    for damaged in (b'', b'not ONNX at all', whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r'network\.onnx is damaged'):
            OnnxNetwork(str(path))
    with pytest.raises(FileNotFoundError, match=r'export_onnx\.py writes'):
        OnnxNetwork(str(tmp_path / 'none.onnx'))


def test_a_file_of_another_network_is_one_sentence(tmp_path):
    path = tmp_path / 'other.onnx'
    info = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Relu', ['x'], ['y'])
    graph = onnx.helper.make_graph([node], 'other', [info], [out])
    opset = onnx.helper.make_opsetid('', onnx_export.OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, path)
    with pytest.raises(UserError, match='not one that this version'):
        OnnxNetwork(str(path))


def test_what_is_not_installed_is_named(original, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(UserError, match='pip install onnxruntime'):
        OnnxNetwork(str(tmp_path / 'network.onnx'))
    with pytest.raises(UserError, match='pip install onnx onnxruntime'):
        onnx_export.export_onnx(original, str(tmp_path / 'a.onnx'), 'test')
    assert not list(tmp_path.iterdir())


def test_nobody_is_told_that_it_runs(monkeypatch):
    monkeypatch.delenv('ORT_DISABLE_TELEMETRY', raising=False)
    onnx_network.runtime()
    assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'
