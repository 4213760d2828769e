"""dlib's 68 landmarks: an ensemble of regression trees."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import dlib
import numpy as np

from data_converters.errors import DataError

from .baseline import BoxOffset

# The package is not imported: that asks for an old setuptools.
WEIGHTS = 'face_recognition_models'
FILE = 'models/shape_predictor_68_face_landmarks.dat'


class Dlib68:
    """See :class:`baselines.baseline.Peer`.

    Its detector is dlib's HOG detector.

    Raises:
        DataError: The predictor's file is not there.
    """

    name = 'dlib 68'
    habit = BoxOffset(down=-0.09, side=1.05)

    def __init__(self) -> None:
        spec = find_spec(WEIGHTS)
        places = spec.submodule_search_locations if spec else None
        path = Path(places[0], FILE) if places else Path(FILE)
        if not path.is_file():
            raise DataError(
                f'{path}: the predictor is not there; '
                'pip install -r requirements/baselines.txt'
            )
        self.weights = path
        self.predictor = dlib.shape_predictor(str(path))
        self.detector = dlib.get_frontal_face_detector()
        self.version = f'dlib {dlib.__version__}, {path.name}'

    def landmarks(
        self, image: np.ndarray, box: np.ndarray
    ) -> np.ndarray | None:
        """See :class:`baselines.baseline.Peer`; there always are some."""
        left, top, width, height = np.round(box).astype(int).tolist()
        # dlib's right and bottom are the last pixels inside.
        place = dlib.rectangle(left, top, left + width - 1, top + height - 1)
        return self._at(image, place)

    def all_landmarks(self, image: np.ndarray) -> list[np.ndarray]:
        """See :class:`baselines.baseline.Peer`; faces of 40 pixels and
        more.
        """
        # Once enlarged: the detector's own window has 80 pixels.
        return [self._at(image, place) for place in self.detector(image, 1)]

    def _at(self, image: np.ndarray, place: dlib.rectangle) -> np.ndarray:
        parts = self.predictor(image, place).parts()
        return np.array([[part.x, part.y] for part in parts], float)
