"""The estimator: owns the loops over recurrent steps and over time."""

from typing import Any, Optional, Sequence

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor

from rednet_mm.structures import RecurrentState, StepResult


@MODELS.register_module()
class RecurrentPoseEstimator(TopdownPoseEstimator):
    """RED-Net: an encoder-decoder that recurs in space and in time.

    Letters: B clips, T frames, K recurrent steps, C_d detected and C_r
    regressed landmarks.

    ``forward`` takes stills (B, 3, H, W) and clips (B, T, 3, H, W). The only
    recurrence over time is at the bottleneck, so the B*T frames go through
    encoder and decoder as one batch and only the LSTM walks over T.

    Nothing about a video is kept here: :meth:`step` and
    :meth:`predict_clip` take a state and return the next. The right way::

        state = None
        for frame in frames:
            result, state = model.step(frame, state)

    The wrong way is to leave the state behind: every frame is then the first
    of a video.

    Args:
        backbone (dict): An encoder-decoder with ``prepare``, ``encode`` and
            ``decode``.
        neck (dict, optional): The recurrent neck. None leaves the code as it
            is: no recurrence over time, no identity code.
        head (dict): A :class:`REDNetHead`.
        identity_head (dict, optional): An :class:`IdentityHead`, used by the
            loss alone. It needs the neck's identity code.
        **kwargs: As for MMPose's :class:`TopdownPoseEstimator`.

    Raises:
        ValueError: for an identity head without a neck.
    """

    def __init__(
        self,
        backbone: dict,
        neck: Optional[dict] = None,
        head: Optional[dict] = None,
        identity_head: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, neck, head, **kwargs)
        if identity_head is not None and not self.with_neck:
            raise ValueError(
                'an identity head needs the identity code of a neck: add '
                "neck=dict(type='TemporalRecurrentNeck', ...)"
            )
        self.identity_head = (
            MODELS.build(identity_head) if identity_head else None
        )

    def unroll(
        self, frames: Tensor, state: Optional[RecurrentState] = None
    ) -> tuple[list[Tensor], list[Tensor], RecurrentState]:
        """Both recurrences over clips: equations 4, 5, 7 and 10.

        Args:
            frames (Tensor): Shape (B, T, 3, H, W).
            state (RecurrentState, optional): After the frame before the
                clips. None is the start of a video.

        Returns:
            tuple: The raw output of each of the K steps (B*T, C, h, w), the
            identity code of each (B*T, C_i, h', w'; an empty list without a
            neck), and the state after the clips.
        """
        state = state or RecurrentState()
        clip_length = frames.shape[1]
        batch = frames.flatten(0, 1)  # (B*T, 3, H, W)
        batch = batch.contiguous(memory_format=torch.channels_last)
        prepared = self.backbone.prepare(batch)
        response: Optional[Tensor] = None  # z_0: an empty map
        outputs, identities, memories = [], [], []
        for k in range(len(self.head.steps)):
            code, skips = self.backbone.encode(prepared, response, k)
            if self.with_neck:
                code, identity, memory = self.neck(
                    code, state.memory(k), clip_length, k
                )
                identities.append(identity)
                memories.append(memory)
            output = self.head(self.backbone.decode(code, skips, k), k)
            outputs.append(output)
            response = self.head.feedback(output, k)
        return outputs, identities, RecurrentState.stack(memories)

    def step(
        self, frame: Tensor, state: Optional[RecurrentState] = None
    ) -> tuple[StepResult, RecurrentState]:
        """One frame of B videos.

        Args:
            frame (Tensor): Shape (B, 3, H, W), normalised as by the data
                preprocessor.
            state (RecurrentState, optional): What the last call returned for
                these videos, in this order. None at their start.

        Returns:
            tuple: The landmarks, and the state for the next frame.
        """
        outputs, _, state = self.unroll(frame[:, None], state)
        return StepResult(*self.head.locate(outputs[-1])), state

    def loss(self, inputs: Tensor, data_samples: Sequence[Any]) -> dict:
        """Equation 14 over all frames and steps.

        Args:
            inputs (Tensor): Shape (B, 3, H, W) or (B, T, 3, H, W).
            data_samples (Sequence[PoseDataSample]): One a frame, clip by
                clip.

        Returns:
            dict: The losses of the steps and, with an identity head,
            ``loss_identity``.
        """
        outputs, identities, _ = self.unroll(_as_clips(inputs))
        losses = self.head.loss(outputs, data_samples, self.train_cfg)
        if self.identity_head is not None:
            losses.update(self.identity_head.loss(identities, data_samples))
        return losses

    def predict(
        self, inputs: Tensor, data_samples: Sequence[Any]
    ) -> Sequence[Any]:
        """Landmarks of stills or of clips that begin without a past.

        Args:
            inputs (Tensor): Shape (B, 3, H, W) or (B, T, 3, H, W).
            data_samples (Sequence[PoseDataSample]): One a frame, clip by
                clip.

        Returns:
            list[PoseDataSample]: The same samples with ``pred_instances`` in
            pixels of the original image.
        """
        return self.predict_clip(_as_clips(inputs), data_samples)[0]

    def predict_clip(
        self,
        inputs: Tensor,
        data_samples: Sequence[Any],
        state: Optional[RecurrentState] = None,
    ) -> tuple[Sequence[Any], RecurrentState]:
        """Landmarks of clips that go on where ``state`` left off.

        Args:
            inputs (Tensor): Shape (B, T, 3, H, W).
            data_samples (Sequence[PoseDataSample]): B*T, clip by clip.
            state (RecurrentState, optional): After the frame before. None is
                the start of a video.

        Returns:
            tuple: The samples with ``pred_instances``, and the state after
            the clips.
        """
        outputs, _, state = self.unroll(inputs, state)
        preds = self.head.predict(outputs, data_samples, self.test_cfg)
        instances, fields = (
            preds if isinstance(preds, tuple) else (preds, None)
        )
        samples = self.add_pred_to_datasample(instances, fields, data_samples)
        return samples, state

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Tensor:
        """Raw output of the last step, (B, C, h, w) or (B, T, C, h, w)."""
        outputs, _, _ = self.unroll(_as_clips(inputs))
        if inputs.dim() == 4:
            return outputs[-1]
        return outputs[-1].unflatten(0, inputs.shape[:2])


def _as_clips(inputs: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, 3, H, W); clips stay as they are."""
    return inputs[:, None] if inputs.dim() == 4 else inputs
