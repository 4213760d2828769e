"""Tracking by detection of landmarks (paper section 5.1).

The box of a face in the next frame is computed from its landmarks in this
one. A detector is asked where no face is followed, as soon as one is lost,
and from time to time for new ones.

Letters: F faces, K landmarks. Boxes are x y w h, pixels of the frame.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, Optional

import numpy as np

from rednet_mm.errors import UserError
from rednet_mm.one_euro import OneEuroFilter, OneEuroState

from .crops import (
    Cropper,
    as_image,
    authors_box,
    box_of,
    grown,
    middle,
    overlap,
)
from .detectors import WholeFrame
from .network import FaceNetwork, S
from .track_state import (
    FollowedFace,
    LostFace,
    TrackedFace,
    TrackerSettings,
    TrackEvent,
    TrackState,
)
from .video_io import USUAL_FPS

# A detector takes a frame (H, W, 3), BGR, and gives boxes (F, 4), x y w h.
Detector = Callable[[np.ndarray], np.ndarray]

# Pixels of a frame below which there is nothing left to follow.
SMALLEST_FACE = 4

# The id of a face that is yet to be seen.
NEW = -1

# Lost faces that are remembered, at most.
MOST_REMEMBERED = 16

# The detector that takes a whole frame for a face.
WHOLE_FRAME = WholeFrame()


class LandmarkTracker(Generic[S]):
    """Follow faces from frame to frame, each with a state of its own.

    Usage::

        tracker = LandmarkTracker(TorchNetwork(config, checkpoint), detector)
        for faces in tracker.track(frames):
            ...

    or, with the state in your own hands (several films at once, say)::

        state = tracker.init_state()
        faces, state = tracker.step(frame, state)
        state.events  # what became of faces in this frame

    Args:
        network (FaceNetwork): Finds landmarks in crops.
        detector (Callable, optional): Gives the boxes of faces in a frame.
            Defaults to the whole frame as the box. None: faces come from the
            boxes of the user alone, and one that is lost is looked for where
            it was.
        smooth (OneEuroFilter, optional): Smooths the landmarks that are
            given out; boxes come from those that were found. Defaults to
            None.
        **settings: Of :class:`TrackerSettings`, in place of those that come
            with the network.

    Raises:
        UserError: for settings that do not exist.
    """

    def __init__(
        self,
        network: FaceNetwork[S],
        detector: Optional[Detector] = WHOLE_FRAME,
        smooth: Optional[OneEuroFilter] = None,
        **settings: Any,
    ) -> None:
        self.network = network
        self.detector = detector
        self.smooth = smooth
        self.settings = TrackerSettings.of(**{**network.settings, **settings})
        self.crop = Cropper(network.input_size, network.padding)

    def init_state(self) -> TrackState[S]:
        """The state of a film that has not begun."""
        return TrackState()

    def reset(self, state: TrackState[S]) -> TrackState[S]:
        """A state that has forgotten all faces; ids and frames go on.

        For a cut in a film, say. Nothing is kept in the tracker itself.
        """
        return TrackState(next_id=state.next_id, frame=state.frame)

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

    def step(
        self,
        frame: np.ndarray,
        state: TrackState[S],
        boxes: Optional[np.ndarray] = None,
        time: Optional[float] = None,
    ) -> tuple[list[TrackedFace], TrackState[S]]:
        """One frame.

        A frame of another size than the last counts as the same view: boxes
        are scaled, and the detector is asked. An empty frame (H or W is 0)
        shows nothing and changes nothing.

        Args:
            frame (np.ndarray): Shape (H, W, 3), BGR, uint8; gray (H, W) and
                (H, W, 4) do as well.
            state (TrackState): From the frame before.
            boxes (np.ndarray, optional): The faces of this frame, x y w h,
                (F, 4): they are looked for there and nowhere else, and the
                detector is not asked. One that lies on a face that is
                followed goes on with its id.
            time (float, optional): When the frame is shown, seconds, for the
                smoothing. Defaults to 25 frames a second.

        Returns:
            tuple: The faces that were found, and the next state. A face
            that is lost is not among the faces.

        Raises:
            UserError: for what is no image, and for boxes that are not
                finite or empty.
        """
        image = as_image(frame, state.frame)
        if image.size == 0:
            return [], replace(
                state,
                frame=state.frame + 1,
                events=(TrackEvent('empty'),),
            )
        work = _Step(self, image, state, time)
        if boxes is not None:
            work.follow_given(_checked(boxes, state.frame))
        else:
            work.follow_and_detect()
        return work.found, work.next_state()

    def next_box(self, keypoints: np.ndarray) -> np.ndarray:
        """Where a face with landmarks (K, 2) is looked for next, (4,)."""
        box = (
            box_of(keypoints)
            if self.settings.box_rule == 'extent'
            else authors_box(keypoints, self.network.padding)
        )
        return grown(box, self.settings.margin)


class _Step(Generic[S]):
    """The work on one frame: what a step has found out so far."""

    def __init__(
        self,
        tracker: LandmarkTracker[S],
        image: np.ndarray,
        state: TrackState[S],
        time: Optional[float],
    ) -> None:
        self.tracker = tracker
        self.settings = tracker.settings
        self.image = image
        self.number = state.frame
        self.time = state.frame / USUAL_FPS if time is None else time
        self.next_id = state.next_id
        self.asked = state.asked
        self.events: list[TrackEvent] = []
        oldest = self.number - self.settings.remember
        lost = [face for face in state.lost if face.frame >= oldest]
        self.before, self.lost = self._in_this_size(state, lost)
        self.known = {face.id for face in self.before}
        self.faces: list[FollowedFace[S]] = []  # for the next frame
        self.found: list[TrackedFace] = []  # in this one, in the same order

    def _in_this_size(
        self, state: TrackState[S], lost: list[LostFace]
    ) -> tuple[list[FollowedFace[S]], list[LostFace]]:
        """Followed and lost faces, for a frame of this size."""
        faces = list(state.faces)
        size = self.image.shape[:2]
        if state.size in (None, size):
            return faces, lost
        self.events.append(TrackEvent('resized'))
        self.asked = None
        height, width = np.divide(size, state.size)
        by = np.array([width, height, width, height])
        return (
            [
                # What is remembered may be in pixels of the last frame.
                replace(face, box=face.box * by, smooth=None, memory=None)
                for face in faces
            ],
            [replace(face, box=face.box * by) for face in lost],
        )

    def follow_given(self, boxes: np.ndarray) -> None:
        """Take the boxes (F, 4) of the user for the faces of this frame."""
        self.asked = self.number
        rest, claimed = list(self.before), []
        for box in boxes:
            shares = [overlap(box, face.box) for face in rest]
            if max(shares, default=0) > self.settings.same_face:
                face = rest.pop(int(np.argmax(shares)))
                claimed.append(replace(face, box=box))
            else:
                claimed.append(FollowedFace(NEW, box))
        for face in rest:
            self._end(face, 'replaced')
        self._look(self._with_lost_ids(claimed))

    def follow_and_detect(self) -> None:
        """Go on with the faces there are; ask for others where it is time."""
        every = self.settings.redetect_every
        asked = (
            not self.before
            or self.asked is None
            or 0 < every <= self.number - self.asked
        )
        new = self._detected(self.before) if asked else []
        self._look([*self.before, *new])
        if len(self.faces) < len(self.before) and not asked:
            self._look(self._detected(self.faces))

    def _detected(
        self, followed: Sequence[FollowedFace[S]]
    ) -> list[FollowedFace[S]]:
        """What the detector finds beside the faces that are followed."""
        self.asked = self.number
        if self.tracker.detector is None:
            # Nobody to ask: look where they were.
            return [FollowedFace(face.id, face.box) for face in self.lost]
        boxes = np.asarray(self.tracker.detector(self.image), float)
        fresh = [
            FollowedFace[S](NEW, box)
            for box in boxes.reshape(-1, 4)
            if _why_not(box, self.image) is None
            and all(
                overlap(box, face.box) <= self.settings.same_face
                for face in followed
            )
        ]
        return self._with_lost_ids(fresh)

    def _with_lost_ids(
        self, faces: list[FollowedFace[S]]
    ) -> list[FollowedFace[S]]:
        """Let new faces near a lost one have its id, the nearest first."""
        pairs = []
        for place, face in enumerate(faces):
            for lost in self.lost:
                side = lost.box[2:].mean()
                way = np.linalg.norm(middle(face.box) - middle(lost.box))
                near = way <= self.settings.reach * side
                ratio = face.box[2:].mean() / side
                if face.id == NEW and near and 0.5 <= ratio <= 2:
                    pairs.append((way / side, place, lost.id))
        faces, taken = list(faces), set()
        for _, place, id_ in sorted(pairs):
            if faces[place].id == NEW and id_ not in taken:
                taken.add(id_)
                faces[place] = replace(faces[place], id=id_)
        return faces

    def _look(self, faces: Sequence[FollowedFace[S]]) -> None:
        """Find the landmarks of faces, as one batch, and judge them."""
        if not faces:
            return
        network = self.tracker.network
        boxes = np.stack([face.box for face in faces])
        crops = self.tracker.crop(self.image, boxes)
        result, memories = network.run(
            crops.images, [face.memory for face in faces], crops.warps
        )
        keypoints = crops.to_frame(result.keypoints)
        corners = crops.centers - crops.scales / 2
        for place, face in enumerate(faces):
            seen = TrackedFace(
                id=self.next_id if face.id == NEW else face.id,
                box=face.box,
                keypoints=keypoints[place],
                scores=result.scores[place],
                spread=float(result.spreads[place].mean()),
                maps=None if result.maps is None else result.maps[place],
                crop=np.concatenate([corners[place], crops.scales[place]]),
            )
            self._judge(face, seen, memories[place])

    def _judge(
        self, face: FollowedFace[S], seen: TrackedFace, memory: S
    ) -> None:
        """Go on with a face, or let it end."""
        widest = self.settings.max_spread
        box = self.tracker.next_box(seen.keypoints)
        into = next((e for e in self.found if self._is_one(e, seen)), None)
        if seen.scores.mean() < self.settings.min_score or (
            widest is not None and seen.spread > widest
        ):
            self._end(face, 'lost')
        elif reason := _why_not(box, self.image):
            self._end(face, reason)
        elif into is not None:
            self._end(face, 'merged', into.id)
        else:
            limit = self.settings.restart_spread
            doubted = limit is not None and seen.spread > limit
            kept = None if doubted else memory
            self._go_on(face, seen, FollowedFace(seen.id, box, kept))

    def _smoothed(
        self, face: FollowedFace[S], seen: TrackedFace
    ) -> tuple[TrackedFace, Optional[OneEuroState]]:
        if self.tracker.smooth is None:
            return seen, None
        keypoints, past = self.tracker.smooth.step(
            seen.keypoints, self.time, face.smooth
        )
        return replace(seen, keypoints=keypoints), past

    def _is_one(self, one: TrackedFace, other: TrackedFace) -> bool:
        way = np.linalg.norm(one.keypoints - other.keypoints, axis=-1)
        side = box_of(one.keypoints)[2]
        return bool(way.mean() < self.settings.merge * side)

    def _go_on(
        self,
        face: FollowedFace[S],
        seen: TrackedFace,
        after: FollowedFace[S],
    ) -> None:
        if face.id == NEW:
            self.next_id += 1
            self.events.append(TrackEvent('appeared', seen.id))
        elif face.id not in self.known:
            self.lost = [each for each in self.lost if each.id != face.id]
            self.events.append(TrackEvent('returned', seen.id))
        shown, past = self._smoothed(face, seen)
        self.found.append(shown)
        self.faces.append(replace(after, smooth=past))

    def _end(
        self, face: FollowedFace[S], kind: str, into: Optional[int] = None
    ) -> None:
        """Remember a face that was followed; a mere candidate is nothing."""
        if face.id in self.known:
            self.known.discard(face.id)
            self.events.append(TrackEvent(kind, face.id, into))
            self.lost.append(LostFace(face.id, face.box, self.number))

    def next_state(self) -> TrackState[S]:
        """What goes on to the next frame; the oldest faces first."""
        height, width = self.image.shape[:2]
        return TrackState(
            faces=tuple(sorted(self.faces, key=lambda face: face.id)),
            lost=tuple(self.lost[-MOST_REMEMBERED:]),
            next_id=self.next_id,
            frame=self.number + 1,
            asked=self.asked,
            size=(height, width),
            events=tuple(self.events),
        )


def _why_not(box: np.ndarray, frame: np.ndarray) -> Optional[str]:
    """Why a box cannot be followed: too small, or outside the frame."""
    if not np.isfinite(box).all() or min(box[2:]) < SMALLEST_FACE:
        return 'lost'
    height, width = frame.shape[:2]
    x, y = middle(box)
    return None if 0 <= x < width and 0 <= y < height else 'left'


def _checked(boxes: Any, number: int) -> np.ndarray:
    """Boxes of the user as (F, 4).

    Raises:
        UserError: where they are not, or one is not finite or empty.
    """
    array = np.asarray(boxes, float).reshape(-1, 4)
    if not np.isfinite(array).all() or (array[:, 2:] <= 0).any():
        raise UserError(
            f'boxes {array.tolist()} of frame {number}: give x y w h of '
            'faces, with a width and a height'
        )
    return array
