"""The network of a tracker: crops of faces in, landmarks and states out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Optional, Protocol, TypeVar, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import load_state_dict
from mmpose.apis import init_model

from rednet_mm.checkpoint_safety import (
    check_weights,
    read_checkpoint,
    weights_in,
)
from rednet_mm.errors import UserError
from rednet_mm.models.pose_estimator import RecurrentPoseEstimator
from rednet_mm.structures import RecurrentState

S = TypeVar('S')

HALVES = dict(bf16=torch.bfloat16, fp16=torch.float16)


@dataclass(frozen=True)
class FaceResult:
    """Landmarks of F faces of one frame.

    Args:
        keypoints (np.ndarray): Shape (F, K, 2), float32, x and y in pixels
            of the crop, 0 being the centre of its first pixel.
        scores (np.ndarray): Shape (F, K), the height of each response in
            [0, 1].
        spreads (np.ndarray): Shape (F, K), how widely each response is
            spread about its landmark: pixels of the map, see
            ``ResponseMap.spread``.
        maps (np.ndarray, optional): The responses, (F, K, h, w), where they
            were asked for.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    spreads: np.ndarray
    maps: Optional[np.ndarray] = None


class FaceNetwork(Protocol[S]):
    """What a tracker needs of a network; S is what it remembers of a face.

    Attributes:
        input_size (tuple[int, int]): (W, H) of a crop.
        num_keypoints (int): K.
        padding (float): How much larger than the box of a face its crop is.
    """

    input_size: tuple[int, int]
    num_keypoints: int
    padding: float

    @property
    def settings(self) -> Mapping[str, Any]:
        """The ``tracker`` section of its config.

        Thresholds that belong to the weights: numbers, words, truth values.
        """

    def run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[S]],
        warps: Optional[np.ndarray] = None,
    ) -> tuple[FaceResult, list[S]]:
        """The faces of one frame, as one batch.

        Args:
            crops (np.ndarray): Shape (F, H, W, 3), uint8, BGR.
            states (Sequence): Of each face what the last call returned for
                it, None for a face that is new. Not changed.
            warps (np.ndarray, optional): Shape (F, 2, 3), float32, pixels of
                the frame to pixels of each crop, as ``cv2.warpAffine`` takes
                it. None: the crops are where they were.

        Returns:
            tuple: The landmarks, and the state of each face; its size is
            always the same.
        """


class ModelNetwork:
    """A :class:`RecurrentPoseEstimator` as the network of a tracker.

    It takes every frame as it is: a flip test in the config's ``test_cfg``
    is for stills and is not done here.

    Args:
        model (RecurrentPoseEstimator): In eval mode, where it shall run.
        config (Config): That it was built from.
        precision (str): ``'fp32'``, or for the convolutions ``'bf16'`` or
            ``'fp16'``. Defaults to ``'fp32'``.
        keep_maps (bool): Whether results hold the response maps. Defaults to
            False.

    Raises:
        UserError: if the model is of another kind, if the pipeline does not
            cut out faces as in training, or for another precision.
    """

    def __init__(
        self,
        model: Any,
        config: Config,
        precision: str = 'fp32',
        keep_maps: bool = False,
    ) -> None:
        if precision != 'fp32' and precision not in HALVES:
            raise UserError(
                f'there is no precision {precision!r}; choose fp32, '
                + ' or '.join(HALVES)
            )
        if not isinstance(model, RecurrentPoseEstimator):
            raise UserError(
                f'{config.filename or "this config"}: its model is a '
                f'{type(model).__name__}, and only a RecurrentPoseEstimator '
                "can do this; of MMPose's other networks, tools/test.py "
                'measures landmarks in given boxes'
            )
        # As the crops lie: a CPU need not turn the weights over each time.
        self.model = model.to(memory_format=torch.channels_last)
        self.precision = precision
        self.keep_maps = keep_maps
        width, height = self.model.head.decoder.input_size
        self.input_size = (int(width), int(height))
        steps = self.model.head.steps
        self.num_keypoints = (
            len(self.model.head.det_indices)
            if steps[-1] == 'det'
            else self.model.head.num_keypoints
        )
        self.padding = padding_of(config.test_dataloader.dataset.pipeline)
        self.settings: Mapping[str, Any] = dict(config.get('tracker', {}))

    @torch.inference_mode()
    def run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[RecurrentState]],
        warps: Optional[np.ndarray] = None,
    ) -> tuple[FaceResult, list[RecurrentState]]:
        """See :class:`FaceNetwork`."""
        if self.model.init_from == 'previous':
            return by_past(self._run, crops, states, warps)
        return self._run(crops, states, warps)

    def _run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[RecurrentState]],
        warps: Optional[np.ndarray],
    ) -> tuple[FaceResult, list[RecurrentState]]:
        """Faces that all take the same steps."""
        batch = torch.from_numpy(crops).permute(0, 3, 1, 2)  # (F, 3, H, W)
        # The preprocessor normalises the frames of a clip at once.
        data = self.model.data_preprocessor(dict(inputs=[batch]))
        device = data['inputs'].device
        state = RecurrentState.join(
            [RecurrentState() if each is None else each for each in states]
        )
        to_crops = None
        if warps is not None:
            to_crops = torch.from_numpy(warps).to(device)
        with self._autocast(device.type):
            found, after = self.model.step(
                data['inputs'][0], state, to_crops, self.keep_maps
            )
        result = FaceResult(
            keypoints=found.keypoints.cpu().numpy(),
            scores=found.scores.cpu().numpy(),
            spreads=found.spreads.cpu().numpy(),
            maps=None if found.maps is None else found.maps.cpu().numpy(),
        )
        return result, [after.select([face]) for face in range(len(crops))]

    def _autocast(self, device: str) -> AbstractContextManager[Any]:
        if self.precision == 'fp32':
            return nullcontext()
        return torch.autocast(device, dtype=HALVES[self.precision])


class TorchNetwork(ModelNetwork):
    """A :class:`ModelNetwork` from its files.

    Args:
        config (str | Config): Config of the estimator.
        checkpoint (str): Its weights.
        device (str): Where it runs. Defaults to ``'cpu'``.
        precision (str): As for :class:`ModelNetwork`.
        keep_maps (bool): As for :class:`ModelNetwork`.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        UserError: if it does not fit the config, and as for
            :class:`ModelNetwork`.
    """

    def __init__(
        self,
        config: Union[str, Config],
        checkpoint: str,
        device: str = 'cpu',
        precision: str = 'fp32',
        keep_maps: bool = False,
    ) -> None:
        model = init_model(config, None, device)
        super().__init__(model, model.cfg, precision, keep_maps)
        weights = weights_in(read_checkpoint(checkpoint))
        check_weights(self.model, weights, checkpoint, 'test')
        load_state_dict(self.model, weights)


def by_past(
    run: Callable[..., tuple[FaceResult, list[S]]],
    crops: np.ndarray,
    states: Sequence[Optional[S]],
    warps: Optional[np.ndarray],
) -> tuple[FaceResult, list[S]]:
    """New faces as one batch and those that go on as another.

    They take different recurrent steps.

    Args:
        run (Callable): :meth:`FaceNetwork.run` of one of the two kinds.
        crops (np.ndarray): As for it, and so are states and warps.
    """
    new = np.array([state is None for state in states], bool)
    if new.all() or not new.any():
        return run(crops, states, warps)
    results: list[FaceResult] = []
    after: dict[int, S] = {}
    groups = [np.flatnonzero(new), np.flatnonzero(~new)]
    for faces in groups:
        result, now = run(
            crops[faces],
            [states[face] for face in faces],
            None if warps is None else warps[faces],
        )
        results.append(result)
        after.update(zip(faces.tolist(), now))
    order = np.argsort(np.concatenate(groups))
    parts = {
        name: np.concatenate([getattr(each, name) for each in results])[order]
        for name in ('keypoints', 'scores', 'spreads', 'maps')
        if getattr(results[0], name) is not None
    }
    return FaceResult(**parts), [after[face] for face in range(len(crops))]


def padding_of(pipeline: Sequence[Mapping[str, Any]]) -> float:
    """How much larger than its box a face's crop is.

    Args:
        pipeline (Sequence): The config of a data pipeline.

    Raises:
        UserError: if it does not cut out faces by ``GetBBoxCenterScale`` and
            ``TopdownAffine(use_udp=True)``.
    """
    steps = {step['type']: step for step in pipeline}
    scale, affine = (
        steps.get(name) for name in ('GetBBoxCenterScale', 'TopdownAffine')
    )
    if scale is None or affine is None or not affine.get('use_udp'):
        raise UserError(
            "test_dataloader's pipeline must cut out faces by "
            'GetBBoxCenterScale and TopdownAffine(use_udp=True), as those of '
            'configs/ do'
        )
    return float(scale.get('padding', 1.25))
