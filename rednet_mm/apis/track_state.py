"""What is known of the faces of a film: in one frame and between two.

Letters: F faces, K landmarks. Boxes are x y w h, pixels of the frame.
"""

from dataclasses import dataclass, fields
from typing import Any, Generic, Optional

import numpy as np

from rednet_mm.errors import UserError
from rednet_mm.one_euro import OneEuroState

from .crops import BOX_RULES
from .network import S


@dataclass(frozen=True)
class TrackerSettings:
    """How faces are followed: the ``tracker`` section of a config.

    Args:
        min_score (float): A face is lost where the mean height of its
            responses is lower. Depends on the weights;
            tools/benchmarks/lost_faces.py measures it. Defaults to 0.15.
        max_spread (float, optional): And where their mean spread is larger,
            pixels of the map. Defaults to None: it is not looked at.
        restart_spread (float, optional): And where it is larger than this,
            the face is followed, but the network begins its next frame from
            nothing, as that of a new face. Defaults to None: never.
        box_rule (str): The next box of a face: ``'extent'``, the square
            round its landmarks as in training, or ``'authors'``, see
            :func:`authors_box`. Defaults to ``'extent'``.
        margin (float): How much larger than that. Defaults to 1.
        redetect_every (int): Frames between two askings for new faces while
            some are followed; 0: never. Defaults to 10.
        same_face (float): Two boxes are of one face where they share more
            than this of the smaller. Defaults to 0.5.
        merge (float): Two tracks are of one face where their landmarks are
            nearer to each other, in the mean and as a share of the box.
            Defaults to 0.15.
        remember (int): Frames for which a lost face can get its id back.
            Defaults to 75.
        reach (float): Sides of its box that it may have moved meanwhile.
            Defaults to 3.
    """

    min_score: float = 0.15
    max_spread: Optional[float] = None
    restart_spread: Optional[float] = None
    box_rule: str = 'extent'
    margin: float = 1.0
    redetect_every: int = 10
    same_face: float = 0.5
    merge: float = 0.15
    remember: int = 75
    reach: float = 3.0

    def __post_init__(self) -> None:
        if self.box_rule not in BOX_RULES:
            raise UserError(
                f'box_rule of the tracker is {self.box_rule!r}; set '
                + ' or '.join(map(repr, BOX_RULES))
            )

    @staticmethod
    def of(**given: Any) -> 'TrackerSettings':
        """Settings by name.

        Raises:
            UserError: for a name that is not one.
        """
        known = [each.name for each in fields(TrackerSettings)]
        for name in given:
            if name not in known:
                raise UserError(
                    f'the tracker has no setting {name!r}; it has '
                    + ', '.join(known)
                )
        return TrackerSettings(**given)


@dataclass(frozen=True)
class TrackedFace:
    """A face in one frame.

    Args:
        id (int): The same from frame to frame.
        box (np.ndarray): Where it was looked for, x y w h, pixels of the
            frame; shape (4,).
        keypoints (np.ndarray): Shape (K, 2), pixels of the frame.
        scores (np.ndarray): Shape (K,), in [0, 1].
        spread (float): Mean spread of its responses, pixels of the map.
        maps (np.ndarray, optional): Its responses (K, h, w), where the
            network keeps them; the corners' centres are those of the crop.
        crop (np.ndarray, optional): The middle and the size of the crop, x y
            w h, between the centres of its corner pixels; shape (4,).
    """

    id: int
    box: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    spread: float = 0.0
    maps: Optional[np.ndarray] = None
    crop: Optional[np.ndarray] = None


@dataclass(frozen=True)
class TrackEvent:
    """What became of a face, or of a frame.

    Args:
        kind (str): ``'appeared'``, ``'returned'`` after it was lost;
            ``'lost'`` (its responses say so), ``'left'`` the image,
            ``'merged'`` into another, ``'replaced'`` by the boxes of the
            user; of the frame ``'empty'`` or ``'resized'``.
        face (int, optional): Its id.
        into (int, optional): The id of the other, where it merged.
    """

    kind: str
    face: Optional[int] = None
    into: Optional[int] = None


@dataclass(frozen=True)
class FollowedFace(Generic[S]):
    """A face between two frames.

    Args:
        id (int): The same from frame to frame.
        box (np.ndarray): Where it will be looked for, (4,).
        memory (S, optional): What the network remembers of it.
        smooth (OneEuroState, optional): And the smoothing, where there is
            one.
    """

    id: int
    box: np.ndarray
    memory: Optional[S] = None
    smooth: Optional[OneEuroState] = None


@dataclass(frozen=True)
class LostFace:
    """A face that may come back.

    Args:
        id (int): Which.
        box (np.ndarray): Where it was expected when it was lost, (4,).
        frame (int): When.
    """

    id: int
    box: np.ndarray
    frame: int


@dataclass(frozen=True)
class TrackState(Generic[S]):
    """What is known of a film between two frames.

    Of constant size a face; of lost faces a few are kept for a while.

    Args:
        faces (tuple[FollowedFace]): Those that are followed.
        lost (tuple[LostFace]): Those that may come back, latest last.
        next_id (int): The number that a new face will get.
        frame (int): The number of the next frame, from 0.
        asked (int, optional): When the detector was asked last.
        size (tuple[int, int], optional): (H, W) of the last frame.
        events (tuple[TrackEvent]): What happened in the last frame.
    """

    faces: tuple[FollowedFace[S], ...] = ()
    lost: tuple[LostFace, ...] = ()
    next_id: int = 0
    frame: int = 0
    asked: Optional[int] = None
    size: Optional[tuple[int, int]] = None
    events: tuple[TrackEvent, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the faces that are followed."""
        return tuple(face.id for face in self.faces)
