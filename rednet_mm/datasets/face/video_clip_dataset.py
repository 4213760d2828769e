"""Clips of T frames for training, whole videos for testing."""

import os.path as osp
import random
from contextlib import contextmanager
from itertools import chain
from typing import Any, Iterator, Optional

import numpy as np
import torch
from mmengine.dataset import force_full_init
from mmengine.logging import print_log
from mmpose.datasets.datasets.face import Face300VWDataset
from mmpose.registry import DATASETS

from rednet_mm.datasets.annotations import CheckedAnnotations
from rednet_mm.datasets.clip_sampling import sample_clip
from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.datasets.unreadable import (
    TRIES,
    UnreadableFiles,
    UnreadableFrame,
    first_readable,
)
from rednet_mm.errors import UserError

# What a data sample says of itself beside MMPose's fields.
TRACK_KEYS = (
    'track',
    'video_id',
    'frame_id',
    'subject_label',
    'category',
    'group',
    'yaw',
    'box_size',
)

# And of its crop, where a transform turned it or moved the face: MMPose's
# fields lack them, and init_from='previous' has to know where crops lie.
CROP_KEYS = ('bbox_rotation', 'crop_in_frame')


@DATASETS.register_module()
class VideoClipDataset(CheckedAnnotations, Face300VWDataset):
    """Faces in videos, from the JSON of our converters.

    A track is one face of one video, frames in order; a still is a track of
    one frame. The pipeline is an ordinary MMPose pipeline for one frame.

    In training an item is a clip: ``inputs`` (T, 3, H, W) and a list of T
    data samples. Each video gives ``clips_per_video`` random clips an epoch,
    and as many that run backwards. The choice is made when the item is
    asked for, from the item's number alone (:class:`SubjectBatchSampler`
    puts seed and epoch into it), whatever the worker. The pipeline runs on
    each frame with the same random draws, so a transform is one and the same
    on every frame of a clip. Videos shorter than a clip are left out.

    A frame that cannot be read stops no training: its clip is replaced by
    another of the same track, or else of the same subject, so that no
    subject comes twice into a batch, or else by any. The first to meet such
    a frame, of all workers of a process, warns and names it.

    In testing an item is a frame, as in MMPose's data sets; with
    :class:`VideoBatchSampler` and :class:`VideoTestLoop` the frames of a
    video come in order and the network keeps its state.

    Args:
        ann_file (str): The annotation file.
        clip_length (int): T. Defaults to 10.
        clips_per_video (int): Random clips of a video an epoch. Defaults
            to 100.
        reverse (bool): Whether each clip is also taken backwards. Defaults
            to True.
        frames_of_still (int): A still becomes a track of so many frames, to
            be told apart by a :class:`ClipFromImage`. Defaults to 1.
        stills_of_videos (bool): Whether each frame of a video counts as a
            still, a photo of its subject. Defaults to False.
        **kwargs: As for MMPose's :class:`Face300VWDataset`.

    Raises:
        FileNotFoundError: if there is no annotation file.
        UserError: if the file is not as the converters write it, there are
            no faces, one has an empty box or is there twice in a frame, or
            no video is as long as a clip; from an item, if a frame (testing)
            or nearly everything (training) cannot be read.
    """

    METAINFO: dict = FACE_68

    def __init__(
        self,
        ann_file: str = '',
        clip_length: int = 10,
        clips_per_video: int = 100,
        reverse: bool = True,
        frames_of_still: int = 1,
        stills_of_videos: bool = False,
        **kwargs: Any,
    ) -> None:
        self.frames_of_still = frames_of_still
        self.stills_of_videos = stills_of_videos
        self.clip_length = clip_length
        self.clips_per_video = clips_per_video
        self.reverse = reverse
        self._labels: Optional[dict[int, int]] = None
        self._categories: dict[int, Optional[int]] = {}
        super().__init__(ann_file=ann_file, **kwargs)

    # -- what is in the file ------------------------------------------------

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        if not osp.exists(self.ann_file):
            raise FileNotFoundError(
                f'{self.ann_file} does not exist; make it with a converter, '
                'for instance: python data_converters/convert_300vw.py SRC DST'
            )
        instances, images = super()._load_annotations()
        if self.frames_of_still > 1:
            instances = [
                frame for each in instances for frame in self._filmed(each)
            ]
        instances.sort(key=lambda each: (each['track'], each['frame_id']))
        return instances, images

    def _filmed(self, info: dict) -> Iterator[dict]:
        """The frames of a still, a video of its own; others as they are."""
        if info['video_id'] is not None:
            yield info
            return
        number = self.frames_of_still
        for frame in range(number):
            yield dict(
                info,
                id=info['id'] * number + frame,
                frame_id=frame,
                # Not the number of any video.
                video_id=-info['id'],
                still_id=info['id'],
            )

    def parse_data_info(self, raw_data_info: dict) -> Optional[dict]:
        """MMPose's fields and those of a video: track, frame, subject."""
        if self._labels is None:
            subjects = self.coco.dataset.get('subjects', [])
            ids = sorted(subject['id'] for subject in subjects)
            self._labels = {id_: label for label, id_ in enumerate(ids)}
            self._categories = {
                video['id']: video.get('category')
                for video in self.coco.dataset.get('videos', [])
            }
        info = super().parse_data_info(raw_data_info)
        if info is None:
            return None
        image = raw_data_info['raw_img_info']
        annotation = raw_data_info['raw_ann_info']
        video, frame = image.get('video_id'), image.get('frame_id', 0)
        if self.stills_of_videos:
            video, frame = None, 0
        # Stills come before videos, each a track of its own.
        # Faces of one video are told apart by who they are.
        face = annotation.get('track_id', annotation.get('subject_id', 0))
        track = (0, annotation['id']) if video is None else (video, face)
        info.update(
            track=track,
            video_id=video,
            frame_id=frame,
            subject_label=self._labels.get(annotation.get('subject_id')),
            category=self._categories.get(image.get('video_id')),
            group=image.get('group'),
            yaw=annotation.get('yaw'),
            box_size=annotation.get('box_size'),
        )
        return info

    def full_init(self) -> None:
        """Read the file and find the tracks."""
        if self._fully_initialized:
            return
        serialize = bool(self.serialize_data)  # type: ignore[has-type]
        self.serialize_data = False
        super().full_init()
        places: dict[Any, list[int]] = {}
        for place, info in enumerate(self.data_list):
            places.setdefault(info['track'], []).append(place)
        tracks = list(places.values())
        for track in tracks:
            self._check_track([self.data_list[place] for place in track])
        if not self.test_mode:
            tracks = self._long_enough(tracks)
        # Places of the frames of each track in the list of frames.
        self.tracks = tracks
        self._unreadable = UnreadableFiles(
            (info['img_path'] for info in self.data_list), self.test_mode
        )
        # A subject, or where it is not known the track itself, as a number.
        labels = [self.data_list[t[0]]['subject_label'] for t in tracks]
        self._track_subjects = [
            -1 - number if label is None else label
            for number, label in enumerate(labels)
        ]
        if serialize:
            self.serialize_data = True
            self.data_bytes, self.data_address = self._serialize_data()

    def _check_track(self, frames: list[dict]) -> None:
        for one, two in zip(frames, frames[1:]):
            if one['frame_id'] == two['frame_id']:
                raise UserError(
                    f'{self.ann_file}: {two["img_path"]} has two faces of '
                    'one subject; give each a track_id of its own'
                )

    def _long_enough(self, tracks: list[list[int]]) -> list[list[int]]:
        kept = [track for track in tracks if len(track) >= self.clip_length]
        if not kept:
            raise UserError(
                f'{self.ann_file} has no video of {self.clip_length} frames '
                'or more; lower clip_length'
            )
        if len(kept) < len(tracks):
            print_log(
                f'{self.ann_file}: {len(tracks) - len(kept)} of '
                f'{len(tracks)} videos are shorter than a clip of '
                f'{self.clip_length} frames and left out of the training',
                'current',
            )
        return kept

    # -- items --------------------------------------------------------------

    @property
    def clips_per_track(self) -> int:
        """Items of each track in one epoch of training."""
        return self.clips_per_video * (2 if self.reverse else 1)

    @force_full_init
    def __len__(self) -> int:
        if self.test_mode:
            return super().__len__()
        return len(self.tracks) * self.clips_per_track

    @force_full_init
    def clip_subjects(self) -> list[int]:
        """The subject of each training item, negative where not known."""
        return [
            subject
            for subject in self._track_subjects
            for _ in range(self.clips_per_track)
        ]

    @force_full_init
    def clip_frames(self, item: int) -> list[int]:
        """Places in the list of frames that make up a training item.

        Args:
            item (int): Any multiple of ``len(self)`` plus the index.
        """
        track, backwards = self._track_of(item)
        return self._draw_clip(track, backwards, np.random.default_rng(item))

    def _track_of(self, item: int) -> tuple[int, bool]:
        """The track of a training item, and whether it runs backwards."""
        track, copy = divmod(item % len(self), self.clips_per_track)
        return track, copy >= self.clips_per_video

    def _draw_clip(
        self, track: int, backwards: bool, rng: np.random.Generator
    ) -> list[int]:
        frames = self.tracks[track]
        places = sample_clip(len(frames), self.clip_length, rng, backwards)
        return [frames[place] for place in places]

    def _other_clips(self, item: int) -> Iterator[list[int]]:
        """Clips in place of one that cannot be read, the nearest first.

        Of its track, then of its subject, then of all. They too depend on
        the item's number alone.
        """
        rng = np.random.default_rng([item, 1])
        track, backwards = self._track_of(item)
        subjects = np.array(self._track_subjects)
        same = np.flatnonzero(subjects == subjects[track])
        for pool in ([track], same[same != track], range(len(self.tracks))):
            for _ in range(TRIES if len(pool) else 0):
                other = pool[int(rng.integers(len(pool)))]
                yield self._draw_clip(int(other), backwards, rng)

    def prepare_data(self, idx: int) -> Any:
        """A frame (testing) or a clip (training) through the pipeline."""
        if self.test_mode:
            return self._prepare_frame(idx)
        return first_readable(
            chain([self.clip_frames(idx)], self._other_clips(idx)),
            lambda places: self._prepare_clip(idx, places),
            self.ann_file,
        )

    def _prepare_clip(self, item: int, places: list[int]) -> Optional[dict]:
        paths = [self.get_data_info(place)['img_path'] for place in places]
        if any(self._unreadable.knows(path) for path in paths):
            raise UnreadableFrame
        packed = []
        for place in places:
            with _same_draw(item):
                packed.append(self._prepare_frame(place))
        if any(frame is None for frame in packed):
            return None
        return dict(
            inputs=torch.stack([frame['inputs'] for frame in packed]),
            data_samples=[frame['data_samples'] for frame in packed],
        )

    def _prepare_frame(self, place: int) -> Any:
        info = self.get_data_info(place)
        about = {key: info[key] for key in TRACK_KEYS}
        with self._unreadable.reading(
            info['img_path'], 'its clips are replaced by others'
        ):
            packed = self.pipeline(info)
        if packed is not None and 'data_samples' in packed:
            crop = {key: info[key] for key in CROP_KEYS if key in info}
            packed['data_samples'].set_metainfo(about | crop)
        return packed


@contextmanager
def _same_draw(item: int) -> Iterator[None]:
    """Let the transforms draw the same numbers for the same item.

    MMPose's transforms draw from the global generators of numpy and Python;
    both are put back afterwards.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    number = np.random.SeedSequence(item).generate_state(1)[0]
    np.random.seed(number)
    random.seed(int(number))
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
