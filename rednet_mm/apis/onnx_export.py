"""The network of a tracker as one ONNX file, checked before it is there."""

import copy
import json
import platform
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from rednet_mm.errors import UserError
from rednet_mm.files import whole
from rednet_mm.models.deploy import FACE_AXES, RESULTS, SingleStep
from rednet_mm.structures import RecurrentState
from rednet_mm.version import __version__

from .network import FaceResult, TorchNetwork
from .onnx_either import either
from .onnx_network import (
    FORMAT,
    FORMAT_KEY,
    METADATA,
    WARPS,
    OnnxNetwork,
    runtime,
)

# Since 2021; ONNX Runtime 1.10 and newer run it.
OPSET = 17

# By how much ONNX Runtime may differ from PyTorch on smooth noise: pixels of
# the crop (of the map for spreads), and units of scores and states.
TOLERANCE = 1e-3

# The largest share of landmarks that may lie further apart. Near two maxima of
# about one height, which noise brings about, the decoding makes more of the
# last bit; in a network that was written wrongly, all are off.
TIES = 0.05

# Not one: an axis of one may be taken for one that is broadcast.
TRACED_FACES = 2
CHECKED_FACES, CHECKED_FRAMES = 3, 3


def export_onnx(network: TorchNetwork, path: str, name: str) -> float:
    """Write one step of a network, state in and out, as an ONNX file.

    The file is there when it has been checked, by onnx's checker and against
    PyTorch on smooth noise; until then, and if it fails, it is not.

    Args:
        network (TorchNetwork): On the processor, in single precision.
        path (str): Of the file. One that is there is replaced.
        name (str): Of the config, for the metadata.

    Returns:
        float: By how many pixels of the crop the landmarks of ONNX Runtime
        and PyTorch differed at most.

    Raises:
        UserError: if onnx or ONNX Runtime is not installed, or if the two
            differ by more than :data:`TOLERANCE`.
    """
    try:
        import onnx

        onnxruntime = runtime()
    except ImportError as error:
        raise UserError(
            f'{path} cannot be written without onnx and checked without ONNX '
            'Runtime; pip install onnx onnxruntime'
        ) from error
    with whole(path) as part:
        model = _trace(network, part)
        about = _metadata(network, name)
        about['versions']['onnx'] = onnx.__version__
        about['versions']['onnxruntime'] = onnxruntime.__version__
        onnx.helper.set_model_props(
            model,
            {key: json.dumps(value) for key, value in about.items()}
            | {FORMAT_KEY: FORMAT},
        )
        onnx.save(model, part)
        onnx.checker.check_model(part, full_check=True)
        difference = compare(network, OnnxNetwork(str(part), 1))
    return difference


def _trace(network: TorchNetwork, path: Path) -> Any:
    """The graph of one step, for any number of faces, as an onnx model."""
    import onnx

    models = []
    for follows in (False, True):
        step = SingleStep(network.model, follows).eval()
        # What is found has its name already.
        states = [
            f'last_{name}' if name in RESULTS else name
            for name in step.state_names
        ]
        after = [f'next_{name}' for name in states]
        inputs = ['crops', *([WARPS] * step.takes_warps), *states]
        outputs = [*RESULTS, *after]
        with torch.no_grad(), warnings.catch_warnings():
            # Sizes of maps become constants, which is meant; how the number
            # of faces passes is checked afterwards with another number.
            warnings.simplefilter('ignore')
            # The tracing exporter: torch 2.0 has it and 2.14 still does, it
            # needs no further package, is four times as fast as the newer
            # one (dynamo=True, which wants onnxscript), and what it writes
            # is run at the same speed.
            torch.onnx.export(
                step,
                (
                    step.example(TRACED_FACES),
                    *step.warps(TRACED_FACES),
                    *step.start(TRACED_FACES),
                ),
                str(path),
                input_names=inputs,
                output_names=outputs,
                dynamic_axes={each: {0: 'faces'} for each in inputs + outputs},
                opset_version=OPSET,
                dynamo=False,
            )
        models.append(onnx.load(path))
        if not step.takes_warps:
            return models[0]
    return either(*models)


def _metadata(network: TorchNetwork, name: str) -> dict[str, Any]:
    """What a runtime and a reader have to know, for JSON."""
    about: dict[str, Any] = {key: getattr(network, key) for key in METADATA}
    return about | dict(
        config=name,
        steps=network.model.head.steps,
        versions=dict(
            rednet_mm=__version__,
            torch=torch.__version__,
            python=platform.python_version(),
        ),
    )


def compare(ours: TorchNetwork, theirs: OnnxNetwork) -> float:
    """Both networks on a few frames of noise, states carried.

    Returns:
        float: The largest distance between their landmarks, pixels.

    Raises:
        UserError: if they differ too much.
    """
    width, height = ours.input_size
    rng = np.random.default_rng(0)
    follows = ours.model.init_from == 'previous'
    ours = copy.copy(ours)
    ours.keep_maps = True
    mine: Any = [None] * CHECKED_FACES
    yours: Any = [None] * CHECKED_FACES
    distances, others = [], []
    for frame in range(CHECKED_FRAMES):
        crops = np.stack([noise(rng, height, width) for _ in mine])
        # Each crop somewhere else than the last one.
        warps = np.zeros((CHECKED_FACES, 2, 3), np.float32)
        warps[:, 0, 0] = warps[:, 1, 1] = 1 + 0.1 * frame
        warps[:, :, 2] = 3 * frame
        one, after = ours.run(crops, mine, warps)
        if follows and frame:
            # One past for both: a disc begins and ends at whole pixels, and
            # in noise a landmark may be elsewhere.
            yours = [_memory(each) for each in mine]
        two, yours = theirs.run(crops, yours, warps)
        mine = after
        distances.append(apart(one, two.keypoints, ours.input_size))
        others.append(np.abs(one.scores - two.scores))
    far = np.concatenate(distances)
    if np.mean(far > TOLERANCE) > TIES or np.max(others) > TOLERANCE:
        raise UserError(
            'ONNX Runtime finds landmarks up to '
            f'{far.max():.2g} pixels from where PyTorch finds them and scores '
            f'up to {np.max(others):.2g} apart, so no file was written; try '
            'another version of torch or onnxruntime'
        )
    return float(far.max())


def _memory(state: RecurrentState) -> tuple[np.ndarray, ...]:
    """One face's state as :class:`OnnxNetwork` keeps it."""
    parts = [(getattr(state, name), axis) for name, axis in FACE_AXES.items()]
    return tuple(
        part.transpose(0, axis)[0].numpy()
        for part, axis in parts
        if part is not None
    )


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A random picture (H, W, 3) that is as smooth as a photo.

    On pixels that do not depend on their neighbours, maxima that are pooled
    are so many and so near to each other that the last bit decides.
    """
    few = rng.integers(256, size=(height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC)


def apart(
    one: FaceResult, keypoints: np.ndarray, input_size: tuple[int, int]
) -> np.ndarray:
    """How far landmarks lie from those of a result, (F, K), pixels.

    Nothing, where the response there is as high as where the result has its
    landmark: of two equal maxima, and in a flat map, either place is right.

    Args:
        one (FaceResult): With its maps (F, K, h, w).
        keypoints (np.ndarray): Shape (F, K, 2), pixels of the crop.
        input_size (tuple[int, int]): (W, H) of the crop.
    """
    assert one.maps is not None
    faces, marks, height, width = one.maps.shape
    maps = one.maps.reshape(-1, height, width)
    size = np.array([width, height])
    stride = (np.array(input_size) - 1) / (size - 1)
    places = np.round(keypoints.reshape(-1, 2) / stride).astype(int)
    x, y = np.clip(places, 0, size - 1).T
    # A landmark lies between the pixels round the highest.
    around = np.stack([cv2.dilate(each, np.ones((3, 3))) for each in maps])
    there = around[np.arange(len(maps)), y, x]
    equal = maps.max((1, 2)) - there <= TOLERANCE * 1e-2
    distance = np.abs(one.keypoints - keypoints).max(2)
    return np.where(
        equal.reshape(faces, marks) & (distance > stride.max()), 0, distance
    )
