"""Tracking by detection of landmarks (paper section 5.1).

The box of a face in the next frame is computed from its landmarks in this
one; a detector is asked only where no face is known.
"""

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, Optional

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmpose.apis import init_model
from mmpose.structures import PoseDataSample

from rednet_mm.checkpoint_safety import check_checkpoint
from rednet_mm.structures import RecurrentState

# A detector takes a frame (H, W, 3), BGR, and gives boxes (F, 4), x y w h.
Detector = Callable[[np.ndarray], np.ndarray]


# Pixels of a frame below which there is nothing left to follow.
SMALLEST_FACE = 4


@dataclass(frozen=True)
class TrackedFace:
    """A face in one frame.

    Args:
        id (int): The same from frame to frame.
        box (np.ndarray): Where it was looked for, x y w h, pixels of the
            frame; shape (4,).
        keypoints (np.ndarray): Shape (K, 2), pixels of the frame.
        scores (np.ndarray): Shape (K,), in [0, 1].
    """

    id: int
    box: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class TrackState:
    """What is known of a film between two frames; of constant size a face.

    Args:
        ids (tuple[int]): The F faces that are followed.
        boxes (np.ndarray): Where they will be looked for, x y w h; (F, 4).
        recurrent (tuple[RecurrentState]): The network's state of each.
        next_id (int): The number that a new face will get.
    """

    ids: tuple[int, ...] = ()
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    recurrent: tuple[RecurrentState, ...] = ()
    next_id: int = 0


class LandmarkTracker:
    """Follow faces from frame to frame, each with a state of its own.

    Usage::

        tracker = LandmarkTracker(config, checkpoint)
        for faces in tracker.track(frames):
            ...

    or, with the state in your own hands (several films at once, say)::

        state = tracker.init_state()
        faces, state = tracker.step(frame, state)

    Args:
        config (str): Config file of a :class:`RecurrentPoseEstimator`.
        checkpoint (str): Its weights.
        device (str): Where the network runs. Defaults to ``'cpu'``.
        detector (Callable, optional): Gives the boxes of faces in a frame
            when no face is known. None takes the whole frame as the box.
        min_score (float): A face whose mean landmark score is lower is
            lost, and so is one whose box has left the frame or shrunk to
            nothing. Defaults to 0.15.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        UserError: if it does not fit the config.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        device: str = 'cpu',
        detector: Optional[Detector] = None,
        min_score: float = 0.15,
    ) -> None:
        check_checkpoint(init_model(config, None, device), checkpoint)
        self.model = init_model(config, checkpoint, device)
        pipeline = self.model.cfg.test_dataloader.dataset.pipeline
        self.pipeline = Compose(pipeline)
        self.detector = detector or whole_frame
        self.min_score = min_score

    def init_state(self) -> TrackState:
        """The state of a film that has not begun."""
        return TrackState()

    def track(
        self,
        frames: Iterable[np.ndarray],
        boxes: Optional[np.ndarray] = None,
    ) -> Iterator[list[TrackedFace]]:
        """Follow faces through a film.

        Args:
            frames (Iterable[np.ndarray]): Frames (H, W, 3), BGR, uint8.
            boxes (np.ndarray, optional): Faces of the first frame, x y w h,
                (F, 4). None asks the detector.

        Yields:
            list[TrackedFace]: The faces of each frame.
        """
        state = self.init_state()
        for frame in frames:
            faces, state = self.step(frame, state, boxes)
            boxes = None
            yield faces

    @torch.no_grad()
    def step(
        self,
        frame: np.ndarray,
        state: TrackState,
        boxes: Optional[np.ndarray] = None,
    ) -> tuple[list[TrackedFace], TrackState]:
        """One frame.

        Args:
            frame (np.ndarray): Shape (H, W, 3), BGR, uint8.
            state (TrackState): From the frame before.
            boxes (np.ndarray, optional): New faces to follow from here, in
                place of those in the state; x y w h, (F, 4).

        Returns:
            tuple: The faces that were found, and the next state. A face
            that is lost is in neither.
        """
        if boxes is None and not state.ids:
            boxes = self.detector(frame)
        if boxes is not None:
            state = _start(np.asarray(boxes, float).reshape(-1, 4), state)
        if not state.ids:
            return [], state
        packed = [self._crop(frame, box) for box in state.boxes]
        data = self.model.data_preprocessor(pseudo_collate(packed), False)
        samples, recurrent = self.model.predict_clip(
            data['inputs'][:, None],
            data['data_samples'],
            RecurrentState.join(state.recurrent),
        )
        faces = [
            _as_face(id_, box, sample)
            for id_, box, sample in zip(state.ids, state.boxes, samples)
        ]
        kept = [
            place
            for place, face in enumerate(faces)
            if face.scores.mean() >= self.min_score
            and _can_be_followed(box_of(face.keypoints), frame)
        ]
        faces = [faces[place] for place in kept]
        return faces, TrackState(
            ids=tuple(face.id for face in faces),
            boxes=np.array([box_of(face.keypoints) for face in faces]).reshape(
                -1, 4
            ),
            recurrent=tuple(recurrent.select([place]) for place in kept),
            next_id=state.next_id,
        )

    def _crop(self, frame: np.ndarray, box: np.ndarray) -> dict:
        x, y, w, h = box
        corners = np.array([[x, y, x + w, y + h]], np.float32)
        return self.pipeline(
            dict(
                img=frame,
                bbox=corners,
                bbox_score=np.ones(1, np.float32),
                **self.model.dataset_meta,
            )
        )


def whole_frame(frame: np.ndarray) -> np.ndarray:
    """The detector that takes the whole frame for a face."""
    height, width = frame.shape[:2]
    return np.array([[0, 0, width, height]], float)


def box_of(keypoints: np.ndarray) -> np.ndarray:
    """The square x y w h round landmarks (K, 2), as in the training data.

    The data pipeline enlarges it, in tracking as in training.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    side = (high - low).max()
    corner = (low + high - side) / 2
    return np.array([*corner, side, side])


def _can_be_followed(box: np.ndarray, frame: np.ndarray) -> bool:
    """Whether a box x y w h has pixels of the frame in it."""
    x, y, w, h = box
    height, width = frame.shape[:2]
    return bool(
        np.isfinite(box).all()
        and min(w, h) >= SMALLEST_FACE
        and x < width
        and y < height
        and x + w > 0
        and y + h > 0
    )


def _start(boxes: np.ndarray, state: TrackState) -> TrackState:
    """Follow new faces, with new ids and no past."""
    after = state.next_id + len(boxes)
    return TrackState(
        ids=tuple(range(state.next_id, after)),
        boxes=boxes,
        recurrent=(RecurrentState(),) * len(boxes),
        next_id=after,
    )


def _as_face(id_: int, box: np.ndarray, sample: PoseDataSample) -> TrackedFace:
    found: Any = sample.pred_instances
    return TrackedFace(id_, box, found.keypoints[0], found.keypoint_scores[0])
