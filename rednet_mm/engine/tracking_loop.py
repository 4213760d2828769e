"""Test of tracking by detection of landmarks (paper section 5.1).

The tracker itself is measured, as users get it: its boxes from the landmarks
of the frame before, its crops, its judgement when a face is lost. Where it
asks a detector, at the start and where a face is lost, the annotated box
answers, and the asking is counted.
"""

import copy
from dataclasses import replace
from typing import Any, Sequence, Union

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import TestLoop
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from rednet_mm.tracking.network import FaceNetwork
from rednet_mm.tracking.torch_network import ModelNetwork
from rednet_mm.tracking.track_state import TrackState
from rednet_mm.tracking.tracker import LandmarkTracker
from rednet_mm.utils.errors import UserError

# Whole frames of a batch: one of full HD has 6 MB.
FRAMES_AT_A_TIME = 4

# How a face can end that is then asked for again.
ENDS = ('lost', 'left', 'merged')


class GroundTruthTracker:
    """One face after the other through its video, boxes from the tracker.

    Args:
        network (FaceNetwork): Finds landmarks.
    """

    def __init__(self, network: FaceNetwork) -> None:
        # Nobody looks for further faces: a track is one face.
        self.tracker: LandmarkTracker = LandmarkTracker(
            network, lambda _: self._truth[None], redetect_interval=0
        )
        self._truth = np.zeros(4)
        self._track: Any = None
        self._state: TrackState = self.tracker.init_state()

    def step(
        self, frame: np.ndarray, truth: np.ndarray, track: Any
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """The face in the next frame.

        Args:
            frame (np.ndarray): Shape (H, W, 3), BGR, uint8.
            truth (np.ndarray): The annotated box, x y w h, (4,); used only
                where the tracker asks.
            track (Any): Which face of which video; another begins anew.

        Returns:
            tuple: Landmarks (K, 2) in pixels of the frame, their scores
            (K,), both NaN where the face is lost even in the annotated box;
            and whether the annotated box was asked for again.
        """
        first = track != self._track
        if first:
            self._track, self._state = track, self.tracker.init_state()
        before, self._truth = self._state, truth
        faces, after = self.tracker.step(frame, before)
        # In frames of another size the annotated box comes beside the face.
        self._state = replace(after, faces=after.faces[:1])
        again = not before.faces or any(
            event.kind in ENDS for event in after.events
        )
        if faces:
            return faces[0].keypoints, faces[0].scores, again and not first
        nothing = np.full(self.tracker.network.num_keypoints, np.nan)
        return np.stack([nothing] * 2, 1), nothing, again and not first


@LOOPS.register_module()
class TrackingTestLoop(TestLoop):
    """MMEngine's test loop, the boxes of a video being those of the tracker.

    A frame's sample says ``reinit`` where the annotated box was asked for
    again. Frames are read whole, in order and a few at a time; processes
    share the videos. The flip test and the batch size of the config do not
    matter here.

    Args:
        runner (Runner): As in MMEngine.
        dataloader (DataLoader | dict): Of a :class:`VideoClipDataset`; of
            its pipeline the steps before ``GetBBoxCenterScale`` are used.
        evaluator (Evaluator | dict | list): As in MMEngine.
        fp16 (bool): As in MMEngine. Defaults to False.

    Raises:
        UserError: for a dataloader that is built, or another pipeline.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Union[DataLoader, dict],
        evaluator: Any,
        fp16: bool = False,
    ) -> None:
        if isinstance(dataloader, DataLoader):
            raise UserError(
                'TrackingTestLoop reads whole frames; give test_dataloader '
                'as a config, not built'
            )
        super().__init__(runner, whole_frames(dataloader), evaluator, fp16)

    def run(self) -> dict:
        """Follow every face from its first frame to its last."""
        model = self.runner.model
        model = model.module if is_model_wrapper(model) else model
        network = ModelNetwork(
            model, self.runner.cfg, 'fp16' if self.fp16 else 'fp32'
        )
        self.follow = GroundTruthTracker(network)
        return super().run()

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """A few consecutive frames of one video."""
        about = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook('before_test_iter', **about)
        outputs = [
            self._predict(image, sample)
            for image, sample in zip(
                data_batch['inputs'], data_batch['data_samples']
            )
        ]
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', outputs=outputs, **about)

    def _predict(self, image: torch.Tensor, sample: Any) -> Any:
        left, top, right, bottom = sample.gt_instances.bboxes[0]
        keypoints, scores, again = self.follow.step(
            image.permute(1, 2, 0).numpy(),
            np.array([left, top, right - left, bottom - top], float),
            sample.track,
        )
        sample.pred_instances = InstanceData(
            keypoints=keypoints[None],
            keypoint_scores=scores[None],
            keypoints_visible=scores[None],
            bboxes=sample.gt_instances.bboxes,
            bbox_scores=sample.gt_instances.bbox_scores,
        )
        sample.set_metainfo(dict(reinit=again))
        return sample


def whole_frames(dataloader: dict) -> ConfigDict:
    """The config of a dataloader that gives frames instead of crops.

    Raises:
        UserError: if no step of the pipeline makes crops of boxes.
    """
    changed = ConfigDict(copy.deepcopy(dataloader))
    changed.batch_size = FRAMES_AT_A_TIME
    changed.batch_sampler = dict(type='VideoBatchSampler')
    changed.dataset.pipeline = _until_boxes(changed.dataset.pipeline)
    return changed


def _until_boxes(pipeline: Sequence[dict]) -> list[dict]:
    types = [step['type'] for step in pipeline]
    if 'GetBBoxCenterScale' not in types:
        raise UserError(
            "test_dataloader's pipeline has no GetBBoxCenterScale; tracking "
            'needs one that cuts out faces, as those of configs/ do'
        )
    kept = list(pipeline[: types.index('GetBBoxCenterScale')])
    return [*kept, dict(type='PackPoseInputs')]
