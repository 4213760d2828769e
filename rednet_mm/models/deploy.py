"""One frame of the network as a plain function of tensors, for export."""

import torch
from torch import Tensor, nn

from rednet_mm.structures import RecurrentState

from .pose_estimator import RecurrentPoseEstimator

# Which axis of each part of the state counts the faces.
FACE_AXES = dict(hidden=1, cell=1, keypoints=0)

RESULTS = ('keypoints', 'scores', 'spreads')


class SingleStep(nn.Module):
    """Pixels and the state of F faces in; landmarks and the next state out.

    What goes in is what a camera gives: eight bits a colour, BGR, rows of
    pixels. Normalisation is part of the network, so nobody has to know its
    figures, and a crop is a quarter of the size it would have in floats. The
    first axis of everything counts the faces.

    Letters: F faces, K recurrent steps, C_d detected landmarks.

    With ``init_from='previous'`` a frame takes other steps where a face is
    new than where it goes on: two graphs, with the same inputs and outputs.

    Args:
        model (RecurrentPoseEstimator): In evaluation mode.
        follows (bool): Whether it is the graph of faces that go on. Only
            read with ``init_from='previous'``. Defaults to False.

    Attributes:
        takes_warps (bool): Whether the warps of the crops go in too, as
            with ``init_from='previous'``.
        state_names (tuple[str, ...]): The parts of the state that this
            network has, in the order in which they go in and come out:
            ``hidden`` and ``cell`` (F, K, C) with a recurrent neck,
            ``keypoints`` (F, C, 2) with ``init_from='previous'``.
    """

    def __init__(
        self, model: RecurrentPoseEstimator, follows: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        self.takes_warps = model.init_from == 'previous'
        self.follows = follows
        with torch.no_grad():
            _, state = model.step(self._normalised(self.example(1)))
        self.state_names = tuple(
            name for name in FACE_AXES if getattr(state, name) is not None
        )
        self._shapes = [
            part.shape[1:] for part in _faces_first(state, self.state_names)
        ]

    def example(self, faces: int) -> Tensor:
        """Random crops (F, H, W, 3), uint8."""
        width, height = self.model.head.decoder.input_size
        device = self.model.data_preprocessor.device
        return torch.randint(
            256, (faces, height, width, 3), dtype=torch.uint8, device=device
        )

    def warps(self, faces: int) -> tuple[Tensor, ...]:
        """Warps (F, 2, 3) of crops that are their frames, where they go in."""
        if not self.takes_warps:
            return ()
        device = self.model.data_preprocessor.device
        return (torch.eye(3, device=device)[:2].repeat(faces, 1, 1),)

    def start(self, faces: int) -> tuple[Tensor, ...]:
        """The state of F faces that are new: zeros."""
        device = self.model.data_preprocessor.device
        return tuple(
            torch.zeros(faces, *shape, device=device) for shape in self._shapes
        )

    def forward(self, crops: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One frame.

        Args:
            crops (Tensor): Shape (F, H, W, 3), uint8, BGR.
            *inputs (Tensor): The warps (F, 2, 3) where they are taken, and
                the parts of the state in ``state_names``.

        Returns:
            tuple: Keypoints (F, C, 2) in pixels of the crop, scores (F, C),
            spreads (F, C), and the parts of the next state.
        """
        warps = inputs[0] if self.takes_warps else None
        given = {
            name: part.transpose(0, FACE_AXES[name])
            for name, part in zip(
                self.state_names, inputs[int(self.takes_warps) :]
            )
        }
        if not self.follows:
            given.pop('keypoints', None)
        result, after = self.model.step(
            self._normalised(crops), RecurrentState(**given), warps
        )
        found = tuple(getattr(result, name) for name in RESULTS)
        return found + _faces_first(after, self.state_names)

    def _normalised(self, crops: Tensor) -> Tensor:
        """(F, H, W, 3), uint8 -> (F, 3, H, W), as the network wants it."""
        # As mmengine's ImgDataPreprocessor, which also pads; of that, two
        # dozen operators that do nothing would be left in the graph.
        preprocessor = self.model.data_preprocessor
        frames = crops.permute(0, 3, 1, 2)
        if preprocessor._channel_conversion:
            frames = frames.flip(1)
        frames = frames.float()
        if preprocessor._enable_normalize:
            frames = (frames - preprocessor.mean) / preprocessor.std
        return frames


def _faces_first(
    state: RecurrentState, names: tuple[str, ...]
) -> tuple[Tensor, ...]:
    """These parts of a state, the axis of the faces in front."""
    return tuple(
        getattr(state, name).transpose(0, FACE_AXES[name]) for name in names
    )
