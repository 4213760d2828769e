"""MMPose's inferencer, with faces followed through films."""

import os.path as osp
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from mimetypes import guess_type
from typing import Any, Optional, Union

import mmcv
import numpy as np
from mmengine.structures import InstanceData
from mmpose.apis import Pose2DInferencer
from mmpose.registry import INFERENCERS
from mmpose.structures import PoseDataSample

from rednet_mm.engine.launch import dump_whole
from rednet_mm.errors import UserError
from rednet_mm.shipped import shipped_model

from .detectors import build_detector
from .network import ModelNetwork
from .track_state import TrackedFace, TrackState
from .tracker import LandmarkTracker
from .video_io import read_frames
from .video_writer import VideoWriter

# Detectors by MMPose's names for them.
_NAMES = {
    'whole_image': 'whole',
    'whole-image': 'whole',
}


@dataclass
class _Film:
    """Frames that belong together, while they are gone through."""

    state: TrackState[Any] = field(default_factory=TrackState)


@dataclass(frozen=True)
class _Job:
    """A frame to be looked at: of a film, or a still (None)."""

    film: Optional[_Film]
    image: np.ndarray
    name: str
    boxes: Optional[np.ndarray]


@INFERENCERS.register_module()
class REDNetInferencer(Pose2DInferencer):
    """A drop-in for MMPose's ``MMPoseInferencer``: films are followed.

    The same call, the same results and the same files. What differs:

    * In a film, from a camera, and with ``sequence=True`` through a list or
      a folder of pictures, faces are followed by a :class:`LandmarkTracker`
      with the network's state; each has a ``track_id``. Otherwise pictures
      are stills, each with its own faces.
    * ``bboxes`` are honoured, where MMPose overwrites them.
    * Where no face is found there is none: the whole picture does not stand
      in for one.
    * Films are H.264 in ``.mp4`` and, as the predictions, whole even when
      the call is not gone through to its end.

    Args:
        pose2d (str, optional): Config of a :class:`RecurrentPoseEstimator`.
            None: the model that comes with the package.
        pose2d_weights (str, optional): Its checkpoint.
        device (str, optional): Where it runs. None: a GPU if there is one.
        scope (str): As in MMPose.
        det_model (str, optional): Who finds faces, see
            :func:`build_detector`, or ``'whole_image'``. Defaults to the
            detector that needs no download.
        det_weights (str, optional): Of a config of mmdet.
        det_cat_ids (int | Sequence[int], optional): Of mmdet's classes the
            one that is a face. None: the one of that name.
        show_progress (bool): Whether to show a bar. Defaults to False.
        **tracker: Settings of the tracker, in place of those of the config.

    Raises:
        UserError: if the checkpoint does not fit the config, one of the two
            is named without the other, or there is no such detector or
            setting.
    """

    # Those of MMPoseInferencer that mean nothing here are taken and not read.
    preprocess_kwargs: set = {
        'bbox_thr',
        'nms_thr',
        'bboxes',
        'sequence',
        'use_oks_tracking',
        'tracking_thr',
        'disable_norm_pose_2d',
    }
    forward_kwargs: set = {
        'merge_results',
        'pose_based_nms',
        'disable_rebase_keypoint',
    }
    visualize_kwargs: set = Pose2DInferencer.visualize_kwargs | {
        'num_instances'
    }

    def __init__(
        self,
        pose2d: Optional[str] = None,
        pose2d_weights: Optional[str] = None,
        device: Optional[str] = None,
        scope: str = 'mmpose',
        det_model: Optional[str] = None,
        det_weights: Optional[str] = None,
        det_cat_ids: Any = None,
        show_progress: bool = False,
        **tracker: Any,
    ) -> None:
        if pose2d is None and pose2d_weights is None:
            shipped = shipped_model()
            pose2d, pose2d_weights = str(shipped.config), str(shipped.weights)
        elif pose2d is None or pose2d_weights is None:
            raise UserError(
                'name pose2d and pose2d_weights both, or neither for the '
                'model that comes with the package'
            )
        super().__init__(
            pose2d,
            pose2d_weights,
            device,
            scope,
            # MMPose's own detector stays out of it.
            det_model='whole_image',
            show_progress=show_progress,
        )
        find = build_detector(
            _NAMES.get(det_model or '', det_model or 'default'),
            det_weights,
            str(next(self.model.parameters()).device),
            _category(det_cat_ids),
        )
        network = ModelNetwork(self.model, self.cfg)
        self.tracker = LandmarkTracker(network, find, **tracker)

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: Optional[str] = None,
        **kwargs: Any,
    ) -> Generator[dict, None, None]:
        """See MMPose; with ``sequence``, and films that end whole."""
        finished = False
        try:
            yield from super().__call__(
                inputs, return_datasamples, batch_size, out_dir, **kwargs
            )
            finished = True
        finally:
            if self._video_input and not finished:
                folder = f'{out_dir}/predictions' if out_dir else ''
                self._finalize_video_processing(
                    kwargs.get('pred_out_dir', folder)
                )

    def _inputs_to_list(self, inputs: Any) -> Iterable:
        """As in MMPose; films come upright, through PyAV."""
        kind = guess_type(inputs)[0] if isinstance(inputs, str) else None
        if not kind or not kind.startswith('video') or not osp.isfile(inputs):
            return super()._inputs_to_list(inputs)
        reader = read_frames(inputs)
        self._video_input = True
        self.video_info = dict(
            fps=reader.fps,
            name=osp.basename(inputs),
            writer=None,
            predictions=[],
        )
        return (frame.image for frame in reader)

    def preprocess(
        self,
        inputs: Iterable,
        batch_size: int = 1,
        bboxes: Optional[Sequence] = None,
        sequence: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[_Job, list]]:
        """Pair each frame with its boxes and with the film it is of.

        Args:
            inputs (Iterable): Pictures or names of pictures.
            batch_size (int): Not read: the faces of a frame are a batch.
            bboxes (Sequence, optional): Of each frame the boxes x1 y1 x2 y2
                of its faces, (F, 4); nothing where they are to be found.
                Of a film, those of its first frame are enough.
            sequence (bool): Whether pictures are the frames of a film.
                Defaults to False: each is a still.
            **kwargs: Not read.

        Raises:
            FileNotFoundError: if a picture is not there.
            UserError: if it cannot be read.
        """
        film = _Film() if self._video_input or sequence else None
        for number, source in enumerate(inputs):
            image, name = _picture(source, number)
            boxes = None
            if bboxes is not None and number < len(bboxes):
                boxes = _as_xywh(bboxes[number])
            yield _Job(film, image, name, boxes), [image]

    def forward(self, inputs: _Job, **kwargs: Any) -> list[PoseDataSample]:
        """The faces of a frame.

        Returns:
            list[PoseDataSample]: One, with ``keypoints`` (F, K, 2),
            ``keypoint_scores`` (F, K), ``bboxes`` x1 y1 x2 y2 (F, 4),
            ``bbox_scores`` and ``track_ids`` (F,).
        """
        state = inputs.film.state if inputs.film else TrackState()
        faces, state = self.tracker.step(inputs.image, state, inputs.boxes)
        if inputs.film:
            inputs.film.state = state
        sample = PoseDataSample(
            metainfo=dict(
                img_path=inputs.name, ori_shape=inputs.image.shape[:2]
            )
        )
        sample.pred_instances = _as_instances(
            faces, self.tracker.network.num_keypoints
        )
        return [sample]

    def visualize(
        self, *args: Any, num_instances: int = -1, **kwargs: Any
    ) -> Any:
        """As in MMPose; ``num_instances`` is not read."""
        return super().visualize(*args, **kwargs)

    def postprocess(
        self, preds: list, visualization: Any, *args: Any, **kwargs: Any
    ) -> dict:
        """MMPose's results; each face also has its ``track_id``."""
        results = super().postprocess(preds, visualization, *args, **kwargs)
        for sample, faces in zip(preds, results['predictions']):
            if isinstance(faces, list):
                ids = sample.pred_instances.track_ids.tolist()
                for face, track_id in zip(faces, ids):
                    face['track_id'] = track_id
        return results

    def save_visualization(
        self,
        visualization: np.ndarray,
        vis_out_dir: str,
        img_name: Optional[str] = None,
    ) -> None:
        """As in MMPose; a film is H.264 under its own name, ``.mp4``."""
        if not self._video_input:
            super().save_visualization(visualization, vis_out_dir, img_name)
            return
        info = self.video_info
        if info['writer'] is None:
            path = vis_out_dir
            if not osp.splitext(path)[1]:
                stem = osp.splitext(osp.basename(info['name']))[0]
                path = osp.join(path, f'{stem}.mp4')
            info['output_file'] = path
            info['writer'] = VideoWriter(path, info['fps'])
        info['writer'].write(mmcv.rgb2bgr(visualization))

    def _finalize_video_processing(self, pred_out_dir: str = '') -> None:
        """Finish the film and its predictions."""
        info = self.video_info
        writer, info['writer'] = info['writer'], None
        if writer is not None:
            writer.close()
        if pred_out_dir:
            stem = osp.splitext(osp.basename(info['name']))[0]
            frames = [
                dict(frame_id=number, instances=faces)
                for number, faces in enumerate(info['predictions'])
            ]
            dump_whole(frames, osp.join(pred_out_dir, f'{stem}.json'))


def _picture(source: Any, number: int) -> tuple[np.ndarray, str]:
    """A picture (H, W, 3), BGR, and its name."""
    if isinstance(source, np.ndarray):
        return source, f'{number:06d}.jpg'
    if '://' not in source and not osp.isfile(source):
        raise FileNotFoundError(f'{source} does not exist; name a picture')
    image = mmcv.imread(source)
    if image is None:
        raise UserError(
            f'{source} is not an image that can be read; replace it'
        )
    return image, source


def _category(det_cat_ids: Any) -> Union[str, int]:
    """The class of faces, by MMPose's argument."""
    if det_cat_ids is None:
        return 'face'
    ids = np.ravel(det_cat_ids).tolist()
    if len(ids) != 1:
        raise UserError(
            f'det_cat_ids {det_cat_ids}: name the one class that is a face'
        )
    return int(ids[0])


def _as_xywh(boxes: Any) -> Optional[np.ndarray]:
    """x1 y1 x2 y2 of F faces -> x y w h, (F, 4); None for no boxes."""
    if boxes is None or len(boxes) == 0:
        return None
    corners = np.asarray(boxes, float).reshape(-1, np.shape(boxes)[-1])[:, :4]
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def _as_instances(
    faces: Sequence[TrackedFace], num_keypoints: int
) -> InstanceData:
    """F faces as MMPose's instances."""
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    shape = (len(faces), num_keypoints)
    scores = np.array([face.scores for face in faces], np.float32)
    return InstanceData(
        keypoints=np.array([face.keypoints for face in faces]).reshape(
            *shape, 2
        ),
        keypoint_scores=scores.reshape(shape),
        bboxes=boxes,
        bbox_scores=scores.reshape(shape).mean(1),
        track_ids=np.array([face.id for face in faces], int),
    )
