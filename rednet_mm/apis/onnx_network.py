"""The network of a tracker, run by ONNX Runtime from one file."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from rednet_mm.errors import UserError

from .network import FaceResult, by_past

# What the metadata of a file says that this class can run.
FORMAT_KEY, FORMAT = 'format', 'rednet_mm single step, version 1'

# Inputs of a network whose faces that go on take other steps than new ones:
# whether these go on, and pixels of the frame to pixels of the crop.
FOLLOWS, WARPS = 'follows', 'warps'

# What the metadata holds beside it, each as JSON.
METADATA = ('input_size', 'num_keypoints', 'padding', 'settings')

# Threads that wait for each other within a frame stay awake for so long. More
# is faster on a quiet machine, and slower where other work wants the cores.
# After a frame they sleep: the next one is decoded and drawn meanwhile.
WAITING = {
    'session.intra_op.spin_duration_us': '50',
    'session.force_spinning_stop': '1',
}

# Of one face: the parts of its state, in the order of the file's inputs.
FaceMemory = tuple[np.ndarray, ...]


class OnnxNetwork:
    """A file of ``tools/export_onnx.py`` as the network of a tracker.

    It stands in for :class:`TorchNetwork`, on the processor. The file says
    all about itself: neither a config nor a checkpoint is needed. Response
    maps are not among its outputs.

    Args:
        path (str): The ONNX file.
        threads (int, optional): That work on a frame. None leaves it to ONNX
            Runtime: one a core.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if ONNX Runtime is not installed, or the file is damaged
            or of something else.
    """

    def __init__(self, path: str, threads: Optional[int] = None) -> None:
        self._session = _open(path, threads)
        about = self._session.get_modelmeta().custom_metadata_map
        if about.get(FORMAT_KEY) != FORMAT:
            raise UserError(
                f'{path} is an ONNX file, but not one that this version of '
                'tools/export_onnx.py wrote; export the network again'
            )
        known = {name: json.loads(about[name]) for name in METADATA}
        self.input_size: tuple[int, int] = tuple(known['input_size'])
        self.num_keypoints: int = known['num_keypoints']
        self.padding: float = known['padding']
        self.settings: Mapping[str, Any] = known['settings']
        # Crops first; then, where faces that go on take other steps than
        # new ones, whether they do, and the warps. The rest is state, faces
        # first.
        names = [each.name for each in self._session.get_inputs()]
        self._parts_new_faces = FOLLOWS in names
        self._inputs = [name for name in names if name != FOLLOWS]
        states = [
            each
            for each in self._session.get_inputs()[1:]
            if each.name not in (FOLLOWS, WARPS)
        ]
        self._zeros = tuple(
            np.zeros(state.shape[1:], np.float32) for state in states
        )

    def run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[FaceMemory]],
        warps: Optional[np.ndarray] = None,
    ) -> tuple[FaceResult, list[FaceMemory]]:
        """See :class:`rednet_mm.apis.network.FaceNetwork`."""
        if self._parts_new_faces:
            return by_past(self._run, crops, states, warps)
        return self._run(crops, states, warps)

    def _run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[FaceMemory]],
        warps: Optional[np.ndarray],
    ) -> tuple[FaceResult, list[FaceMemory]]:
        """Faces that all take the same steps."""
        memories = [self._zeros if each is None else each for each in states]
        # K parts of F faces out of F faces with K parts.
        batch = [np.stack(parts) for parts in zip(*memories)]
        inputs, feed = [crops, *batch], {}
        if self._parts_new_faces:
            feed[FOLLOWS] = np.array(states[0] is not None)
            if warps is None:
                warps = np.eye(3, dtype=np.float32)[None, :2]
                warps = warps.repeat(len(crops), 0)
            inputs.insert(1, warps)
        feed.update(zip(self._inputs, inputs))
        outputs = self._session.run(None, feed)
        results = len(outputs) - len(batch)
        found, after = outputs[:results], outputs[results:]
        # Copies: a face must not hold on to the batch it was in.
        return FaceResult(*found), [
            tuple(part[face].copy() for part in after)
            for face in range(len(crops))
        ]


def runtime() -> Any:
    """The module ``onnxruntime``, which tells nobody what it does.

    Its releases report to their makers (its Privacy.md); a user who wants
    that sets ``ORT_DISABLE_TELEMETRY=0``.

    Raises:
        ImportError: if it is not installed.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    import onnxruntime

    return onnxruntime


def _open(path: str, threads: Optional[int]) -> Any:
    """An ``onnxruntime.InferenceSession`` of a file."""
    try:
        onnxruntime = runtime()
        from onnxruntime.capi import onnxruntime_pybind11_state as states
    except ImportError as error:
        raise UserError(
            f'{path} is run by ONNX Runtime, which is not installed; '
            'pip install onnxruntime'
        ) from error
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{path} does not exist; tools/export_onnx.py writes such files'
        )
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    for name, value in WAITING.items():
        options.add_session_config_entry(name, value)
    # What goes wrong in a damaged file depends on where it is damaged.
    unreadable = (
        states.Fail,
        states.InvalidArgument,
        states.InvalidGraph,
        states.InvalidProtobuf,
        states.NotImplemented,
        states.RuntimeException,
    )
    try:
        return onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider']
        )
    except unreadable as error:
        raise UserError(
            f'{path} is damaged or not an ONNX file that this ONNX Runtime '
            f'({onnxruntime.__version__}) can run; export it again'
        ) from error
