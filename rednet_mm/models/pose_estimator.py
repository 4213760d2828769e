"""The estimator: owns the loops over recurrent steps and over time."""

import copy
from dataclasses import replace
from typing import Any, Optional, Sequence

import numpy as np
import torch
from mmengine.logging import print_log
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.checkpoint_loader import file_of
from rednet_mm.checkpoint_safety import (
    CLASSIFIER,
    check_weights,
    compare,
    in_modules,
)
from rednet_mm.errors import UserError
from rednet_mm.models.layers import (
    FeedbackNoise,
    recurrent_step,
    step_norms,
    to_crop,
    to_frame,
)
from rednet_mm.models.warps import frame_to_crop
from rednet_mm.structures import RecurrentState, StepResult


@MODELS.register_module()
class RecurrentPoseEstimator(TopdownPoseEstimator):
    """RED-Net: an encoder-decoder that recurs in space and in time.

    Letters: B clips, T frames, K recurrent steps, C_d detected and C_r
    regressed landmarks.

    ``forward`` takes stills (B, 3, H, W) and clips (B, T, 3, H, W). Unless
    ``init_from='previous'``, the only recurrence over time is at the
    bottleneck, so the B*T frames go through encoder and decoder as one batch
    and only the LSTM walks over T.

    Nothing about a video is kept here: :meth:`step` and
    :meth:`predict_clip` take a state and return the next. The right way::

        state = None
        for crop, warp in crops_of_a_video:
            result, state = model.step(crop, state, warp)

    The wrong way is to leave the state behind: every frame is then the first
    of a video.

    Where the first step starts (z_0 of equation 4) is ``init_from``:

    * ``'zeros'``: an empty map;
    * ``'mean'``: discs at ``mean_shape``, the mean of the training set;
    * ``'previous'``: "the output of the previous frame" (section 3.2), in
      the coordinates of this crop. A still or a first frame takes all K
      steps from an empty map; every other frame takes the last step alone,
      fed discs at the last frame's keypoints, which ``warps`` lead from the
      last crop to this one. The state holds them in pixels of the video's
      frame. The frames of a clip then go through the network one after the
      other, so in training batch norm sees B frames at a time, not B*T.

    The stages of the training (section 5.1) hand their weights on: a
    checkpoint without the modules of a later stage (the neck or its LSTM,
    the identity head, the unit of the feedback, a kind of output), with
    modules that the config does not have, or for another number of subjects
    loads, and one entry of the log says what became of what. Other
    differences are left to whoever loads: an error with ``strict``.

    Args:
        backbone (dict): An encoder-decoder with ``prepare``, ``encode`` and
            ``decode``. Where there is one step, from an empty map, it is
            built without feedback.
        neck (dict, optional): The recurrent neck. None leaves the code as it
            is: no recurrence over time, no identity code.
        head (dict): A :class:`REDNetHead`.
        identity_head (dict, optional): An :class:`IdentityHead`, used by the
            loss alone. It needs the neck's identity code.
        init_from (str): ``'zeros'``, ``'mean'`` or ``'previous'``. Defaults
            to ``'zeros'``.
        mean_shape (Sequence, optional): C_d points, x and y as a share of
            the input, from 0 at the centre of the first pixel to 1 at that
            of the last; for ``init_from='mean'``.
        feedback_noise (dict, optional): Of :class:`FeedbackNoise`: what is
            done in training to the last frame's keypoints. None, the default,
            is its defaults. Only with ``init_from='previous'``.
        cascade (bool): Give each recurrent step a network of its own, of
            the same form: the cascade of Table 7. The last 1x1 convolution
            of a kind is in the head and stays one. Defaults to False.
        norm_eval (bool): Whether batch norm keeps its running statistics in
            training, too: of a network that goes on from trained weights
            with few frames at a time. Defaults to False.
        **kwargs: As for MMPose's :class:`TopdownPoseEstimator`.

    Raises:
        UserError: for an identity head without a neck, another word for
            ``init_from``, a mean shape that is missing or of another number
            of points, several steps without feedback, or a number of steps
            in backbone or neck that is not the head's.
    """

    def __init__(
        self,
        backbone: dict,
        neck: Optional[dict] = None,
        head: Optional[dict] = None,
        identity_head: Optional[dict] = None,
        init_from: str = 'zeros',
        mean_shape: Optional[Sequence[Sequence[float]]] = None,
        feedback_noise: Optional[dict] = None,
        cascade: bool = False,
        norm_eval: bool = False,
        **kwargs: Any,
    ) -> None:
        steps = len((head or {}).get('steps', ('det', 'reg')))
        if steps > 1 and backbone.get('feedback', 'stem') is None:
            raise UserError(
                f'{steps} recurrent steps without feedback: set '
                "model.backbone.feedback to 'stem' or 'input'"
            )
        if steps == 1 and init_from == 'zeros':
            # No map ever comes in, so there is nothing to bring it in.
            backbone = dict(backbone, feedback=None)
        backbone = dict(backbone, starts_empty=init_from != 'mean')
        backbones = [_with_steps(backbone, steps, 'backbone')]
        necks = [None if neck is None else _with_steps(neck, steps, 'neck')]
        if cascade:
            backbones, necks = _cascade(backbone, neck, steps, init_from)
        super().__init__(backbones[0], necks[0], head, **kwargs)
        # The networks of the steps after the first, where they differ.
        self.later_backbones = nn.ModuleList(map(MODELS.build, backbones[1:]))
        self.later_necks = nn.ModuleList(
            MODELS.build(each) for each in necks[1:] if each is not None
        )
        self.init_from = init_from
        self.norm_eval = norm_eval
        self.feedback_noise = FeedbackNoise(**(feedback_noise or {}))
        self._set_mean_shape(mean_shape)
        if identity_head is not None and not self.with_neck:
            raise UserError(
                'an identity head needs the identity code of a neck: add '
                "neck=dict(type='TemporalRecurrentNeck', ...)"
            )
        self.identity_head = (
            MODELS.build(identity_head) if identity_head else None
        )
        self._norms = step_norms(self)

    def _set_mean_shape(
        self, mean_shape: Optional[Sequence[Sequence[float]]]
    ) -> None:
        if self.init_from not in ('zeros', 'mean', 'previous'):
            raise UserError(
                "init_from is 'zeros', 'mean' or 'previous', not "
                f'{self.init_from!r}'
            )
        # None and not empty: MMEngine averages buffers over processes, and
        # torch 2.6 gives an empty one back in another shape.
        points = None
        if self.init_from == 'mean':
            expected = len(self.head.det_indices)
            if mean_shape is None or len(mean_shape) != expected:
                raise UserError(
                    f"init_from='mean' needs a mean_shape of {expected} "
                    'points; tools/mean_shape.py prints it for a data set'
                )
            points = torch.tensor(mean_shape, dtype=torch.float32)
        # It comes with the config, not with the weights.
        self.register_buffer('mean_shape', points, persistent=False)

    def train(self, mode: bool = True) -> 'RecurrentPoseEstimator':
        """As in torch; see ``norm_eval``."""
        super().train(mode)
        if self.norm_eval:
            for norm in step_norms(self):
                norm.eval()
        return self

    def unroll(
        self,
        frames: Tensor,
        state: Optional[RecurrentState] = None,
        warps: Optional[Tensor] = None,
    ) -> tuple[list[Tensor], list[Tensor], RecurrentState]:
        """Both recurrences over clips: equations 4, 5, 7 and 10.

        Args:
            frames (Tensor): Shape (B, T, 3, H, W).
            state (RecurrentState, optional): After the frame before the
                clips. None is the start of a video.
            warps (Tensor, optional): Shape (B, T, 2, 3), pixels of the
                video's frame to pixels of the crop. None: the crops do not
                move. Only read with ``init_from='previous'``.

        Returns:
            tuple: The raw output of each of the K steps (B*T, C, h, w), the
            identity code of each (B*T, C_i, h', w'; an empty list without a
            neck), and the state after the clips. With
            ``init_from='previous'`` the steps before the last are those of
            the clips' first frames alone, (B, C, h, w), and left out where
            the clips go on from a state.
        """
        state = state or RecurrentState()
        if self.init_from != 'previous':
            return self._steps(frames, state)
        outputs, identities = [], []
        for t in range(frames.shape[1]):
            warp = None if warps is None else warps[:, t]
            output, identity, _, state = self._follow(
                frames[:, t : t + 1], state, warp
            )
            outputs.append(output)
            identities.append(identity)
        return _by_step(outputs), _by_step(identities), state

    def _follow(
        self,
        frames: Tensor,
        state: RecurrentState,
        warps: Optional[Tensor],
    ) -> tuple[list[Tensor], list[Tensor], StepResult, RecurrentState]:
        """One frame (B, 1, 3, H, W) that starts from the last one's result.

        Outputs and identity codes are those of the steps that were taken,
        one or all K.
        """
        response, first = None, 0
        if state.keypoints is not None:
            first = len(self.head.steps) - 1
            response = self._discs(to_crop(state.keypoints, warps))
        outputs, identities, after = self._steps(
            frames, state, response, first
        )
        with torch.no_grad():
            result = StepResult(*self.head.locate(outputs[-1]))
            keypoints = to_frame(result.keypoints, warps)
        return outputs, identities, result, replace(after, keypoints=keypoints)

    def _discs(self, keypoints: Tensor) -> Tensor:
        """What is fed back of keypoints (B, C, 2), pixels of the crop."""
        codec, few = self.head.decoder, self.head.det_indices
        if self.head.steps[-1] == 'reg':
            keypoints = keypoints[:, few]
        keypoints = self.feedback_noise.moved(keypoints, codec.input_size[0])
        # With hard edges the last bit of a keypoint could move whole pixels.
        discs = codec.draw_discs(keypoints, soft=True)
        discs = self.feedback_noise.dropped(discs)
        # Not channels last, see REDNetHead.feedback.
        return discs.contiguous()

    def _steps(
        self,
        frames: Tensor,
        state: RecurrentState,
        response: Optional[Tensor] = None,
        first: int = 0,
    ) -> tuple[list[Tensor], list[Tensor], RecurrentState]:
        """The frames of all clips as one batch; only the LSTM walks.

        Args:
            frames (Tensor): Shape (B, T, 3, H, W).
            state (RecurrentState): After the frame before.
            response (Tensor, optional): z that the first of the steps is
                fed, (B*T, C_d, h, w). None is ``init_from``'s.
            first (int): The step that is taken first, counted from 0.

        Returns:
            tuple: As for :meth:`unroll`, of the steps that were taken.
        """
        clip_length = frames.shape[1]
        batch = frames.flatten(0, 1)  # (B*T, 3, H, W)
        batch = batch.contiguous(memory_format=torch.channels_last)
        if response is None:
            response = self._start_response(batch.shape[0])  # z_0
        prepared = batch
        outputs, identities = [], []
        # Steps that are not taken keep what they remember.
        memories = [state.memory(k) for k in range(len(self.head.steps))]
        for k in range(first, len(self.head.steps)):
            backbone, neck = self._network(k)
            with recurrent_step(self._norms, k):
                if k == first or self.later_backbones:
                    prepared = backbone.prepare(batch)
                code, skips = backbone.encode(prepared, response)
                if neck is not None:
                    code, identity, memories[k] = neck(
                        code, memories[k], clip_length
                    )
                    identities.append(identity)
                output = self.head(backbone.decode(code, skips), k)
            outputs.append(output)
            response = self.head.feedback(output, k)
        return outputs, identities, RecurrentState.stack(memories)

    def _network(self, step: int) -> tuple[Any, Any]:
        """Backbone and neck (None without one) of a recurrent step."""
        neck = self.neck if self.with_neck else None
        if step == 0 or not self.later_backbones:
            return self.backbone, neck
        return (
            self.later_backbones[step - 1],
            self.later_necks[step - 1] if neck is not None else None,
        )

    def _start_response(self, number: int) -> Optional[Tensor]:
        """z_0 (N, C_d, h, w) of equation 4; None is an empty map."""
        if self.init_from != 'mean':
            return None
        codec = self.head.decoder
        size = self.mean_shape.new_tensor(codec.input_size)
        discs = codec.draw_discs(self.mean_shape[None] * (size - 1))
        return discs.expand(number, -1, -1, -1)

    def step(
        self,
        frame: Tensor,
        state: Optional[RecurrentState] = None,
        warps: Optional[Tensor] = None,
        keep_maps: bool = False,
    ) -> tuple[StepResult, RecurrentState]:
        """One frame of B videos.

        Args:
            frame (Tensor): Shape (B, 3, H, W), normalised as by the data
                preprocessor.
            state (RecurrentState, optional): What the last call returned for
                these videos, in this order. None at their start.
            warps (Tensor, optional): Shape (B, 2, 3), pixels of the video's
                frame to pixels of the crop; see :meth:`unroll`.
            keep_maps (bool): Whether the result holds the response maps.
                Defaults to False.

        Returns:
            tuple: The landmarks, and the state for the next frame.
        """
        frames, state = frame[:, None], state or RecurrentState()
        if self.init_from == 'previous':
            outputs, _, result, state = self._follow(frames, state, warps)
        else:
            outputs, _, state = self._steps(frames, state)
            result = StepResult(*self.head.locate(outputs[-1]))
        if keep_maps:
            result = replace(result, maps=self.head.last_response(outputs[-1]))
        return result, state

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
        clips = _as_clips(inputs)
        warps = None
        if clips.shape[1] > 1:
            warps = self._warps(data_samples, clips)
        outputs, identities, _ = self.unroll(clips, None, warps)
        losses = self.head.loss_by_output(
            outputs, data_samples, self.train_cfg, clips.shape[1]
        )
        if self.identity_head is not None:
            # The code of the last step is there for every frame.
            identities = [i for i in identities if len(i) == len(data_samples)]
            losses.update(self.identity_head.loss(identities, data_samples))
        return losses

    def _warps(
        self, data_samples: Sequence[Any], clips: Tensor
    ) -> Optional[Tensor]:
        """Frame to crop (B, T, 2, 3), from what the pipeline says of crops.

        Raises:
            UserError: if it does not say where the crops were cut out.
        """
        if self.init_from != 'previous':
            return None
        warps = [frame_to_crop(sample.metainfo) for sample in data_samples]
        return torch.as_tensor(
            np.stack(warps), dtype=torch.float32, device=clips.device
        ).unflatten(0, clips.shape[:2])

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
        clips = _as_clips(inputs)
        warps = None
        if clips.shape[1] > 1:
            warps = self._warps(data_samples, clips)
        return self._predict(clips, data_samples, warps=warps)[0]

    def predict_clip(
        self,
        inputs: Tensor,
        data_samples: Sequence[Any],
        state: Optional[RecurrentState] = None,
    ) -> tuple[Sequence[Any], RecurrentState]:
        """Landmarks of clips that go on where ``state`` left off.

        With ``test_cfg=dict(flip_test=True)``, as in MMPose, the clips and
        their mirror images go through the network as one batch of 2B, and
        the responses to both are averaged. The state is still that of B
        videos; each holds the memory of its frames and, behind it, that of
        their mirror images, so its C are twice those that
        :meth:`step`, which knows no flip test, gives.

        Args:
            inputs (Tensor): Shape (B, T, 3, H, W).
            data_samples (Sequence[PoseDataSample]): B*T, clip by clip.
            state (RecurrentState, optional): After the frame before. None is
                the start of a video.

        Returns:
            tuple: The samples with ``pred_instances``, and the state after
            the clips.
        """
        warps = self._warps(data_samples, inputs)
        return self._predict(inputs, data_samples, state, warps)

    def _predict(
        self,
        inputs: Tensor,
        data_samples: Sequence[Any],
        state: Optional[RecurrentState] = None,
        warps: Optional[Tensor] = None,
    ) -> tuple[Sequence[Any], RecurrentState]:
        """See :meth:`predict_clip`; warps are as for :meth:`unroll`."""
        flip_test = self.test_cfg.get('flip_test', False)
        if flip_test:
            inputs = torch.cat([inputs, inputs.flip(-1)])
            state = state and _part_mirrors(state)
            if warps is not None:
                warps = torch.cat([warps, _mirrored(warps, inputs.shape[-1])])
        outputs, _, state = self.unroll(inputs, state, warps)
        if flip_test:
            state = _join_mirrors(state)
        preds = self.head.predict_by_output(
            outputs, data_samples, self.test_cfg
        )
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

    # Whether torch has been asked to load nothing but an exact match.
    _loads_strictly = False

    def load_state_dict(
        self, state_dict: Any, strict: bool = True, **kwargs: Any
    ) -> Any:
        """As in torch; if not ``strict``, see above for what is bridged."""
        self._loads_strictly = strict
        try:
            return super().load_state_dict(state_dict, strict, **kwargs)
        finally:
            self._loads_strictly = False

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, metadata: dict, *args: Any
    ) -> None:
        # mmengine comes here by itself, with a copy of the dictionary too.
        if not self._loads_strictly:
            _bridge_stages(self, state_dict, prefix, file_of(metadata))
        super()._load_from_state_dict(state_dict, prefix, metadata, *args)


def _bridge_stages(
    model: Any, state_dict: dict, prefix: str, path: Optional[str]
) -> None:
    """Make a checkpoint of another stage one that fits, and say how.

    What the checkpoint lacks is put into ``state_dict`` as it is in the
    model, what the model lacks is taken out.

    Raises:
        UserError: if the weights are from a file and of another network.
    """
    given = {
        name.removeprefix(prefix): value
        for name, value in state_dict.items()
        if name.startswith(prefix)
        and isinstance(value, Tensor)
        # Mean and deviation of the pixels come with the config.
        and not name.startswith(f'{prefix}data_preprocessor.')
    }
    if path:
        check_weights(model, given, path, 'load')
    found = compare(model, given)
    fresh = found.fresh_modules
    unused = [
        name for name in found.unused_modules if name not in found.surplus
    ]
    if not found.loaded or not (fresh or found.resized or unused):
        return
    for name, value in model.state_dict().items():
        if name in found.resized or in_modules(name, fresh):
            state_dict[prefix + name] = value
    for name in given:
        if in_modules(name, unused):
            del state_dict[prefix + name]
    text = f'checkpoint: {len(found.loaded)} tensors loaded'
    if fresh:
        text += f'; fresh, not in the checkpoint: {", ".join(fresh)}'
    if found.resized:
        known = len(given[found.resized[0]])
        text += (
            f'; fresh, since the checkpoint knows {known} subjects and the '
            f'config {model.identity_head.num_subjects}: {CLASSIFIER}'
        )
    if found.extended:
        text += f'; extended by zeros: {", ".join(found.extended)}'
    if unused:
        text += f'; not used: {", ".join(unused)}'
    print_log(text, logger='current')


def _as_clips(inputs: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, 3, H, W); clips stay as they are."""
    return inputs[:, None] if inputs.dim() == 4 else inputs


def _part_mirrors(state: RecurrentState) -> RecurrentState:
    """B videos with two memories each -> B videos and B mirror images."""
    return RecurrentState(
        hidden=_regroup(state.hidden, 2, 1),
        cell=_regroup(state.cell, 2, 1),
        keypoints=_regroup(state.keypoints, 1, 0),
    )


def _join_mirrors(state: RecurrentState) -> RecurrentState:
    """B videos and B mirror images -> B videos with two memories each."""
    return RecurrentState(
        hidden=_regroup(state.hidden, 1, 2),
        cell=_regroup(state.cell, 1, 2),
        keypoints=_regroup(state.keypoints, 0, 1),
    )


def _regroup(part: Optional[Tensor], of: int, to: int) -> Optional[Tensor]:
    """Cut a tensor in two along axis ``of``, join them along ``to``."""
    return None if part is None else torch.cat(part.chunk(2, of), to)


def _mirrored(warps: Tensor, width: int) -> Tensor:
    """Frame to mirrored crop, from frame to crop (B, T, 2, 3)."""
    sign = warps.new_tensor([[-1.0], [1.0]])
    shift = warps.new_tensor([[0.0, 0.0, width - 1], [0.0, 0.0, 0.0]])
    return warps * sign + shift


def _with_steps(module: dict, steps: int, name: str) -> dict:
    """A config of backbone or neck with the head's number of steps."""
    if module.get('num_steps', steps) != steps:
        raise UserError(
            f'model.{name}.num_steps is {module["num_steps"]} and the head '
            f'takes {steps} steps; leave num_steps out'
        )
    return dict(module, num_steps=steps)


def _by_step(frames: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """T lists of tensors (B, ...) -> one tensor (B*T_k, ...) a step k.

    The first list may be longer than the others; all end with the last step.
    """
    if not frames[0]:
        return []
    last = torch.stack([each[-1] for each in frames], 1).flatten(0, 1)
    return [*frames[0][:-1], last]


def _cascade(
    backbone: dict, neck: Optional[dict], steps: int, init_from: str
) -> tuple[list[dict], list[Optional[dict]]]:
    """Configs of one network a step, each of which takes a single step."""
    later = dict(copy.deepcopy(backbone), num_steps=1, starts_empty=False)
    backbones = [later] * steps
    starts_empty = init_from != 'mean' and steps > 1
    if starts_empty and backbone.get('feedback', 'stem') == 'stem':
        # The first network never sees a map: it has no unit to bring one in.
        backbones[0] = dict(backbones[0], feedback=None)
    necks = [None if neck is None else dict(neck, num_steps=1)] * steps
    return backbones, necks
