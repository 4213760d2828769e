"""MediaPipe's FaceMesh, its 468 vertices turned into 68 keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
from google.protobuf import text_format
from mediapipe.framework import calculator_pb2
from mediapipe.framework.formats import rect_pb2
from mediapipe.python.solution_base import SolutionBase

from .baseline import BoxOffset
from .mesh_keypoints import VERTICES, keypoints_of_mesh

# FaceMesh has no input for a box; this graph is its second half alone.
_GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""

MOST_FACES = 10

# What the graph loads without attention, in the package.
WEIGHTS = 'modules/face_landmark/face_landmark.tflite'


class FaceMesh:
    """See :class:`baselines.baseline.Peer`.

    Its detector is BlazeFace, short range.

    Images are unrelated: nothing is carried from one to the next. A box is
    taken upright, while the detector turns it with the eyes.
    """

    name = 'MediaPipe FaceMesh'
    # The detector's box, enlarged as FaceMesh enlarges it: what the network
    # is shown.
    habit = BoxOffset(down=-0.06, side=1.57)

    def __init__(self) -> None:
        self.version = f'mediapipe {mediapipe.__version__}, 468 vertices'
        self.weights = Path(mediapipe.__file__).parent / WEIGHTS
        self.network = SolutionBase(
            graph_config=text_format.Parse(
                _GRAPH, calculator_pb2.CalculatorGraphConfig()
            ),
            side_inputs={'with_attention': False},
            outputs=['landmarks'],
        )
        self.whole = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=MOST_FACES
        )

    def landmarks(
        self, image: np.ndarray, box: np.ndarray
    ) -> np.ndarray | None:
        """See :class:`baselines.baseline.Peer`; None: it doubts that it is a
        face.
        """
        height, width = image.shape[:2]
        x, y, w, h = box.tolist()
        roi = rect_pb2.NormalizedRect(
            x_center=(x + w / 2) / width,
            y_center=(y + h / 2) / height,
            width=w / width,
            height=h / height,
        )
        found = self.network.process({'image': image, 'roi': roi}).landmarks
        return None if found is None else self._keypoints(found, image)

    def all_landmarks(self, image: np.ndarray) -> list[np.ndarray]:
        """See :class:`baselines.baseline.Peer`."""
        found = self.whole.process(image).multi_face_landmarks or []
        return [self._keypoints(each, image) for each in found]

    def _keypoints(self, found: Any, image: np.ndarray) -> np.ndarray:
        mesh = np.array([[each.x, each.y] for each in found.landmark])
        # 0 and 1 are the outer edges of the first and of the last pixel.
        size = image.shape[1::-1]
        return keypoints_of_mesh(mesh[:VERTICES] * size - 0.5)
