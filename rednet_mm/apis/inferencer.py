"""MMPose's inferencer, with faces followed through videos."""

import copy
import functools
import logging
import os.path as osp
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.structures import InstanceData, PixelData
from mmpose.apis import Pose2DInferencer
from mmpose.registry import INFERENCERS
from mmpose.structures import PoseDataSample, split_instances
from mmpose.structures.utils import revert_heatmap
from rich.progress import track

from rednet_mm.tracking.crops import as_image
from rednet_mm.tracking.detectors import build_detector
from rednet_mm.tracking.torch_network import ModelNetwork
from rednet_mm.tracking.track_state import TrackedFace, TrackState
from rednet_mm.tracking.tracker import LandmarkTracker
from rednet_mm.utils.bundled import bundled_model
from rednet_mm.utils.cli import atomic_dump, check_display
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import refuse_overwriting

from .video_reader import FrameReader, read_frames, read_image
from .video_writer import VideoWriter

# Detectors by MMPose's names for them.
_NAMES = {
    'whole_image': 'whole',
    'whole-image': 'whole',
}


class _Frame(NamedTuple):
    """A frame to be looked at.

    Args:
        image (np.ndarray): Shape (H, W, 3), BGR, uint8.
        name (str): Its own, for outputs.
        source (str, optional): The file it is from.
        time (float, optional): When it is shown, seconds.
        boxes (np.ndarray, optional): Its faces, x y w h, (F, 4).
    """

    image: np.ndarray
    name: str
    source: Optional[str] = None
    time: Optional[float] = None
    boxes: Optional[np.ndarray] = None


@INFERENCERS.register_module()
class REDNetInferencer(Pose2DInferencer):
    """A drop-in for MMPose's ``MMPoseInferencer``: videos are followed.

    The same call, the same results and the same files. What differs is
    listed in docs/differences_from_mmpose.md; above all:

    * In a video, from a camera, and with ``sequence=True`` through a list or
      a folder of images, faces are followed by a :class:`LandmarkTracker`
      with the network's state; each has a ``track_id``. Otherwise images
      are still images, each with its own faces.
    * ``bboxes`` are honoured, where MMPose overwrites them. Of a still
      image, each gives one result, in their order.
    * Where no face is found there is none: the whole image does not stand
      in for one.
    * Videos are H.264 in ``.mp4`` and, as the predictions, whole even when
      the call is not gone through to its end.

    Everything of a call belongs to the call: several may go on at once.

    Args:
        pose2d (str | Path | Config, optional): Config of a
            :class:`RecurrentPoseEstimator`. None: the model that comes with
            the package.
        pose2d_weights (str | Path, optional): Its checkpoint.
        pose3d (None): As MMPose passes it; landmarks are 2D.
        pose3d_weights (None): Likewise.
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
            is named without the other, a ``pose3d`` is named, or there is no
            such detector or setting.
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
        pose2d: Union[str, Path, Config, None] = None,
        pose2d_weights: Union[str, Path, None] = None,
        pose3d: None = None,
        pose3d_weights: None = None,
        device: Optional[str] = None,
        scope: str = 'mmpose',
        det_model: Optional[str] = None,
        det_weights: Optional[str] = None,
        det_cat_ids: Any = None,
        show_progress: bool = False,
        **tracker: Any,
    ) -> None:
        if pose3d is not None or pose3d_weights is not None:
            raise UserError(
                'pose3d is for 3D poses and RED-Net gives 2D landmarks; '
                'leave pose3d and pose3d_weights out'
            )
        if pose2d is None and pose2d_weights is None:
            bundled = bundled_model()
            pose2d, pose2d_weights = bundled.config, bundled.weights
        elif pose2d is None or pose2d_weights is None:
            raise UserError(
                'name pose2d and pose2d_weights both, or neither for the '
                'bundled model'
            )
        super().__init__(
            str(pose2d) if isinstance(pose2d, Path) else pose2d,
            str(pose2d_weights),
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
        self.network = ModelNetwork(self.model, self.cfg)
        self.tracker = LandmarkTracker(self.network, find, **tracker)

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: Optional[str] = None,
        **kwargs: Any,
    ) -> Generator[dict, None, None]:
        """See MMPose; with ``sequence``, and videos that end whole.

        Args:
            inputs (str | Path | np.ndarray | Iterable): A video, an image, a
                folder of images, the number of a camera or ``'webcam:0'``,
                see :func:`read_frames`; the address of an image; an image
                (H, W, 3), BGR, in [0, 255]; or several images or their
                names, a generator too.
            return_datasamples (bool): Whether to give data samples. Defaults
                to False.
            batch_size (int): Not read: the faces of a frame are a batch.
            out_dir (str, optional): Gets ``visualizations/`` and
                ``predictions/``.
            **kwargs: As in MMPose, and ``sequence`` (bool): whether images
                are the frames of a video. Defaults to False.

        Yields:
            dict: ``predictions`` and ``visualization`` of a frame.

        Raises:
            FileNotFoundError: if an input is not there.
            UserError: if it cannot be read, boxes are none, or an output
                would replace an input or another output.
            ValueError: for an argument that there is not.
        """
        # MMPose keeps a call's video, its predictions and its settings on
        # the inferencer, so each call gets one of its own.
        call = copy.copy(self)
        call.visualizer = copy.copy(self.visualizer)
        return call._run(inputs, return_datasamples, out_dir, **kwargs)

    def _run(
        self,
        inputs: Any,
        return_datasamples: bool,
        out_dir: Optional[str],
        **kwargs: Any,
    ) -> Generator[dict, None, None]:
        if out_dir is not None:
            kwargs.setdefault('vis_out_dir', f'{out_dir}/visualizations')
            kwargs.setdefault('pred_out_dir', f'{out_dir}/predictions')
        before, during, drawing, after = self._dispatch_kwargs(**kwargs)
        self.update_model_visualizer_settings(**kwargs)
        webcam = re.fullmatch(r'webcam(?::(\d+))?', str(inputs))
        if isinstance(inputs, str) and webcam:
            inputs, drawing['show'] = webcam[1] or '0', True
        if drawing.get('show'):
            check_display('show')
        # The sources of what was written.
        self._outputs: dict[str, str] = {}
        frames = self.preprocess(self._inputs_to_list(inputs), **before)
        try:
            for frame in (
                track(frames, 'Inference') if self.show_progress else frames
            ):
                # What is drawn and written now is of this frame.
                self._frame = frame
                preds = self.forward(frame, **during)
                drawn = self.visualize([frame.image], preds, **drawing)
                yield self.postprocess(
                    preds,
                    drawn,
                    return_datasamples=return_datasamples,
                    **after,
                )
        finally:
            if self._video_input:
                self._finalize_video_processing(after.get('pred_out_dir', ''))

    def update_model_visualizer_settings(
        self,
        draw_heatmap: bool = False,
        skeleton_style: str = 'mmpose',
        **kwargs: Any,
    ) -> None:
        """See MMPose; of this call alone."""
        # The heatmaps are the tracker's, not those of the model's test_step.
        super().update_model_visualizer_settings(False, skeleton_style)
        self.network = copy.copy(self.network)
        self.network.keep_maps = draw_heatmap
        self.tracker = copy.copy(self.tracker)
        self.tracker.network = self.network

    def _inputs_to_list(self, inputs: Any) -> Iterable[_Frame]:
        """The frames of any input, and what is known of them as a video."""
        self._video_input = False
        if isinstance(inputs, np.ndarray) or _is_address(inputs):
            return _stills([inputs])
        if not isinstance(inputs, (str, Path)):
            return _stills(inputs)
        reader = read_frames(inputs)
        if reader.files is None:
            self._video_input = True
            # Cameras are no files, and have MMPose's name for them.
            known = osp.exists(inputs)
            self.video_info: dict[str, Any] = dict(
                fps=reader.fps,
                name=osp.basename(inputs) if known else 'webcam.mp4',
                writer=None,
                predictions=[],
            )
        return _read(reader)

    def preprocess(
        self,
        inputs: Iterable[_Frame],
        batch_size: int = 1,
        bboxes: Optional[Sequence] = None,
        sequence: bool = False,
        **kwargs: Any,
    ) -> Iterator[_Frame]:
        """Give each frame its boxes.

        Args:
            inputs (Iterable): Frames.
            batch_size (int): Not read: the faces of a frame are a batch.
            bboxes (Sequence, optional): Of each frame the boxes x1 y1 x2 y2
                of its faces, (F, 4); nothing where they are to be found.
                Of a video, those of its first frame are enough.
            sequence (bool): Whether images are the frames of a video.
                Defaults to False: each is a still.
            **kwargs: Not read.
        """
        # None: nothing goes on from one frame to the next.
        follow = self._video_input or sequence
        self._state: Optional[TrackState[Any]] = None
        if follow:
            self._state = TrackState()
        for number, frame in enumerate(inputs):
            if bboxes is not None and number < len(bboxes):
                frame = frame._replace(boxes=_as_xywh(bboxes[number]))
            yield frame

    def forward(self, inputs: _Frame, **kwargs: Any) -> list[PoseDataSample]:
        """The faces of a frame.

        Returns:
            list[PoseDataSample]: One, with ``pred_instances`` and
            ``gt_instances`` as MMPose has them, also ``track_ids`` (F,), and
            with ``draw_heatmap`` ``pred_fields.heatmaps`` (K, H, W).
        """
        image, boxes = inputs.image, inputs.boxes
        if self._state is not None:
            faces, self._state = self.tracker.step(
                image, self._state, boxes, inputs.time
            )
        elif boxes is not None:
            faces = self.tracker.look(image, boxes)
        else:
            faces, _ = self.tracker.step(image, TrackState())
        return [self._sample(inputs, faces)]

    def _sample(
        self, frame: _Frame, faces: Sequence[TrackedFace]
    ) -> PoseDataSample:
        network = self.network
        shape = frame.image.shape[:2]
        meta = {
            key: self.model.dataset_meta[key]
            for key in ('dataset_name', 'flip_indices')
            if key in self.model.dataset_meta
        }
        meta.update(
            img_path=frame.name,
            ori_shape=shape,
            img_shape=shape,
            input_size=network.input_size,
        )
        # As in MMPose, those of the first face.
        for face in faces[:1]:
            center, scale = _crop(face)
            meta.update(input_center=center, input_scale=scale)
        sample = PoseDataSample(metainfo=meta)
        found = _as_instances(faces, network.num_keypoints)
        sample.pred_instances = found
        sample.gt_instances = InstanceData(
            bboxes=found.bboxes, bbox_scores=found.bbox_scores
        )
        if network.keep_maps:
            placed = [
                revert_heatmap(face.maps, *_crop(face), shape)
                for face in faces
            ] or [np.zeros((network.num_keypoints, *shape), np.float32)]
            heatmaps = functools.reduce(np.maximum, placed)
            sample.pred_fields = PixelData(heatmaps=heatmaps)
        return sample

    def visualize(
        self, *args: Any, num_instances: int = -1, **kwargs: Any
    ) -> Any:
        """As in MMPose; ``num_instances`` is not read."""
        return super().visualize(*args, **kwargs)

    def postprocess(
        self,
        preds: list,
        visualization: Any,
        return_datasample: Optional[bool] = None,
        return_datasamples: bool = False,
        pred_out_dir: str = '',
    ) -> dict:
        """MMPose's results; each face also has its ``track_id``."""
        (sample,) = preds
        faces = split_instances(sample.pred_instances)
        ids = sample.pred_instances.track_ids.tolist()
        for face, track_id in zip(faces, ids):
            face['bbox_score'] = float(face['bbox_score'])
            face['track_id'] = track_id
        if pred_out_dir and self._video_input:
            self.video_info['predictions'].append(faces)
        elif pred_out_dir:
            name = f'{Path(self._frame.name).stem}.json'
            atomic_dump(faces, self._output(pred_out_dir, name))
        if return_datasample is not None:
            return_datasamples = return_datasample
        return dict(
            visualization=visualization,
            predictions=[sample if return_datasamples else faces],
        )

    def save_visualization(
        self,
        visualization: np.ndarray,
        vis_out_dir: str,
        img_name: Optional[str] = None,
    ) -> None:
        """As in MMPose; a video is H.264 under its own name, ``.mp4``."""
        image = mmcv.rgb2bgr(visualization)
        folder, name = str(vis_out_dir), img_name or 'visualization.jpg'
        if self._video_input:
            name = f'{Path(self.video_info["name"]).stem}.mp4'
        if osp.splitext(folder)[1]:
            folder, name = osp.split(folder)
        if not self._video_input:
            mmcv.imwrite(image, self._output(folder, name))
            return
        if self.video_info['writer'] is None:
            path = self._output(folder, name)
            self.video_info['writer'] = VideoWriter(
                path, self.video_info['fps']
            )
        self.video_info['writer'].write(image, self._frame.time)

    def _output(self, folder: str, name: str) -> str:
        """The path of an output, which neither replaces an input nor another.

        Raises:
            UserError: if it would.
        """
        path, source = osp.join(folder, name), self._frame.source
        origin = source or self._frame.name
        other = self._outputs.setdefault(path, origin)
        if other != origin:
            raise UserError(
                f'{path} would be that of {other} and of {origin}; give '
                'images of different names'
            )
        refuse_overwriting([source], [path])
        return path

    def _finalize_video_processing(self, pred_out_dir: str = '') -> None:
        """Finish the video and its predictions, if there was a frame."""
        info = self.video_info
        writer, info['writer'] = info['writer'], None
        if writer is not None:
            writer.close()
        if pred_out_dir and info['predictions']:
            stem = Path(info['name']).stem
            frames = [
                dict(frame_id=number, instances=faces)
                for number, faces in enumerate(info['predictions'])
            ]
            atomic_dump(frames, osp.join(pred_out_dir, f'{stem}.json'))


def _is_address(source: Any) -> bool:
    return isinstance(source, str) and '://' in source


def _stills(images: Iterable[Any]) -> Iterator[_Frame]:
    """Images, or their names or addresses, as frames."""
    for number, image in enumerate(images):
        if not isinstance(image, (str, Path)):
            yield _Frame(as_image(image, number), f'{number:06d}.jpg')
            continue
        source = str(image)
        read = mmcv.imread if _is_address(source) else read_image
        loaded = read(source)
        if loaded is None:
            raise UserError(f'{source} is not an image that can be read')
        yield _Frame(loaded, source, source)


def _read(reader: FrameReader) -> Iterator[_Frame]:
    """The frames of a reader; what is missing among them is said."""
    with reader:
        if reader.left_out:
            print_log(reader.left_out, 'current', logging.WARNING)
        for number, (image, time) in enumerate(reader):
            source, name = reader.source, f'{number:06d}.jpg'
            if reader.files is not None:
                source = name = str(reader.files[number])
            yield _Frame(image, name, source, time)
        if reader.fault:
            print_log(reader.fault, 'current', logging.WARNING)


def _crop(face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size (2,) of a face's crop, pixels of the frame."""
    assert face.crop is not None
    scale = face.crop[2:]
    return face.crop[:2] + scale / 2, scale


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
    """x1 y1 x2 y2 of F faces -> x y w h, (F, 4); None for no boxes.

    Raises:
        UserError: for what is no boxes.
    """
    if boxes is None or len(boxes) == 0:
        return None
    try:
        corners = np.asarray(boxes, float)
        corners = corners.reshape(-1, corners.shape[-1])[:, :4]
        low, high = np.split(corners, [2], 1)
        return np.hstack([low, high - low])
    except ValueError as error:
        raise UserError(
            f'bboxes {boxes}: give of each image a list of boxes '
            '[x1, y1, x2, y2]'
        ) from error


def _as_instances(
    faces: Sequence[TrackedFace], num_keypoints: int
) -> InstanceData:
    """F faces as MMPose's instances."""
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    shape = (len(faces), num_keypoints)
    keypoints = np.array([face.keypoints for face in faces], np.float32)
    scores = np.array([face.scores for face in faces], np.float32)
    scores = scores.reshape(shape)
    return InstanceData(
        keypoints=keypoints.reshape(*shape, 2),
        keypoint_scores=scores,
        keypoints_visible=scores.copy(),
        bboxes=boxes,
        bbox_scores=scores.mean(1),
        track_ids=np.array([face.id for face in faces], int),
    )
