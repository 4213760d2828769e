"""Frames straight out of video files: each is the one that was asked for."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS

from data_converters.checks import (
    check_content,
    file_names,
    read_dataset,
    read_images,
)
from data_converters.convert_300vw import convert
from data_converters.frames import video_frame_name
from data_converters.pts import write_pts
from rednet_mm.datasets import LoadVideoFrame, VideoClipDataset
from rednet_mm.datasets.transforms import load_video_frame
from rednet_mm.datasets.transforms.load_video_frame import (
    VideoFrames,
    split_frame_path,
)
from rednet_mm.utils.errors import UserError

FRAMES = 120
CODECS = ('MJPG.avi', 'XVID.avi', 'mp4v.avi', 'mp4v.mp4')


def video(path: Path, frames: int = FRAMES, seed: int = 0) -> Path:
    """A video in which no two frames are alike, 64 x 48, 25 a second."""
    code = cv2.VideoWriter_fourcc(*path.stem[:4])
    writer = cv2.VideoWriter(str(path), code, 25, (64, 48))
    assert writer.isOpened()
    rng = np.random.default_rng(seed)
    for _ in range(frames):
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        writer.write(cv2.resize(coarse, (64, 48)))
    writer.release()
    return path


def decode(path: Path) -> list[np.ndarray]:
    """All frames, decoded from the beginning as the converter does."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while capture.grab():
        frames.append(capture.retrieve()[1])
    return frames


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """A video of each codec and its frames."""
    folder = tmp_path_factory.mktemp('videos')
    made = {name: video(folder / name) for name in CODECS}
    return {name: (path, decode(path)) for name, path in made.items()}


def load(transform: LoadVideoFrame, path: Path, number: int) -> np.ndarray:
    name = video_frame_name(str(path), number)
    return transform(dict(img_path=name))['img']


ORDERS = {
    'forwards': list(range(FRAMES)),
    'backwards': list(range(FRAMES))[::-1],
    'anywhere': np.random.default_rng(1).permutation(FRAMES).tolist(),
    'clips': [*range(90, 100), *range(59, 49, -1), *range(100, 110)],
    'the same again': [70, 70, 69, 70],
    'last': [FRAMES - 1, 0, FRAMES - 1],
}


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('name', CODECS)
def test_every_frame_is_exact(videos, name, order):
    path, frames = videos[name]
    assert len(frames) == FRAMES
    transform = LoadVideoFrame()
    for number in ORDERS[order]:
        image = load(transform, path, number)
        np.testing.assert_array_equal(image, frames[number])
        image[:] = 0  # what a caller does to it stays with the caller


class Capture:
    """OpenCV's capture, which counts, and may be led astray."""

    real = cv2.VideoCapture
    wrong = ''
    grabs = opened = 0

    def __init__(self) -> None:
        self.capture = Capture.real()
        self.failed = False

    def open(self, path: str) -> bool:
        Capture.opened += 1
        return self.capture.open(path)

    def grab(self) -> bool:
        Capture.grabs += 1
        if self.failed:
            self.failed = False
            return False
        return self.capture.grab()

    def set(self, key: int, value: float) -> bool:
        if self.wrong == 'too far':
            value = min(value + 5, FRAMES - 1)
        elif self.wrong == 'always too far':
            value = FRAMES - 1
        elif self.wrong == 'too early':
            value = max(value - 7, 0)
        elif self.wrong == 'nowhere':
            return False
        elif self.wrong == 'at its end':
            self.failed = True
        return self.capture.set(key, value)

    def get(self, key: int) -> float:
        value = self.capture.get(key)
        if key == cv2.CAP_PROP_POS_MSEC and self.wrong == 'no times':
            return 0.0
        if key == cv2.CAP_PROP_POS_MSEC and self.wrong == 'times twice':
            return value // 80
        return value

    def __getattr__(self, name: str):
        return getattr(self.capture, name)


@pytest.fixture
def capture(monkeypatch):
    monkeypatch.setattr(load_video_frame.cv2, 'VideoCapture', Capture)
    for key in ('grabs', 'opened'):
        monkeypatch.setattr(Capture, key, 0)
    return Capture


WRONG = (
    'too far',
    'always too far',
    'too early',
    'nowhere',
    'at its end',
    'no times',
    'times twice',
)


@pytest.mark.parametrize('wrong', WRONG)
def test_a_seek_that_leads_astray_is_noticed(
    videos, capture, monkeypatch, wrong
):
    path, frames = videos['XVID.avi']
    monkeypatch.setattr(capture, 'wrong', wrong)
    video = VideoFrames(str(path))
    for number in (80, 40, 110, 45, 3, 119):
        np.testing.assert_array_equal(video.read(number), frames[number])


def test_frames_in_order_are_decoded_once(videos, capture):
    path, _ = videos['XVID.avi']
    transform = LoadVideoFrame()
    for number in range(FRAMES):
        load(transform, path, number)
    assert (capture.grabs, capture.opened) == (FRAMES, 1)


def test_a_jump_does_not_decode_all_that_lies_before(videos, capture):
    path, _ = videos['MJPG.avi']
    video = VideoFrames(str(path))
    video.read(0)
    video.read(60)
    # One frame, 120 and the end for the times, one to see where the seek
    # has led, and the frame itself.
    assert capture.grabs == 1 + 121 + 2
    video.read(100)
    assert capture.grabs == 124 + 2
    # A clip that runs backwards: 75 to 90 in one go, and no more.
    for number in range(90, 80, -1):
        video.read(number)
    assert capture.grabs == 126 + 1 + 16


def test_few_videos_are_kept_open(tmp_path):
    paths = [video(tmp_path / f'MJPG{i}.avi', 3, i) for i in range(3)]
    frames = [decode(path) for path in paths]
    transform = LoadVideoFrame(max_open=2)
    # The third video closes the second, which was not read for longest.
    for which, number in ((0, 2), (1, 0), (0, 1), (2, 1)):
        image = load(transform, paths[which], number)
        np.testing.assert_array_equal(image, frames[which][number])
    assert list(transform._videos) == [str(paths[0]), str(paths[2])]
    # One that was closed is opened again.
    image = load(transform, paths[1], 2)
    np.testing.assert_array_equal(image, frames[1][2])
    assert list(transform._videos) == [str(paths[2]), str(paths[1])]


def test_a_worker_opens_videos_of_its_own(videos, monkeypatch):
    path, frames = videos['MJPG.avi']
    transform = LoadVideoFrame(to_float32=True)
    load(transform, path, 5)
    # Sent to a worker, and inherited by one.
    other = pickle.loads(pickle.dumps(transform))
    assert not other._videos and other.to_float32
    mine = transform._videos[str(path)]
    monkeypatch.setattr(load_video_frame.os, 'getpid', lambda: -1)
    image = load(transform, path, 6)
    assert transform._videos[str(path)] is not mine
    np.testing.assert_array_equal(image, frames[6])
    assert image.dtype == np.float32


def test_frame_that_is_not_there_is_named(tmp_path):
    path = video(tmp_path / 'MJPG.avi', 3)
    transform = LoadVideoFrame()
    with pytest.raises(UserError) as caught:
        load(transform, path, 3)
    assert str(caught.value) == (
        f'{path}: frame 3, from 0, cannot be read because the video ends '
        'after 3 frames; get it again, or convert the data without it'
    )
    # Once more, and what is there can be read as before.
    with pytest.raises(UserError, match='ends after 3 frames'):
        load(transform, path, 7)
    np.testing.assert_array_equal(load(transform, path, 1), decode(path)[1])
    path.write_bytes(b'not a video')
    for missing in (path, tmp_path / 'none.avi'):
        with pytest.raises(UserError, match='cannot be opened as a video; '):
            load(LoadVideoFrame(), missing, 0)
    name = video_frame_name(str(path), 0)
    assert LoadVideoFrame(ignore_empty=True)(dict(img_path=name)) is None


def test_ordinary_files_are_loaded_as_ever(tmp_path):
    transform = TRANSFORMS.build(dict(type='LoadVideoFrame'))
    assert isinstance(transform, LoadVideoFrame)
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    for name in ('a.png', 'b.avi#3.png', '#12'):
        path = str(tmp_path / name)
        (tmp_path / name).write_bytes(cv2.imencode('.png', image)[1])
        found, same = (
            load(dict(img_path=path)) for load in (transform, LoadImage())
        )
        assert found.keys() == same.keys()
        np.testing.assert_array_equal(found['img'], image)
    # An image that is there already is left alone.
    results = dict(img=image, img_path='videos/001.avi#12')
    assert transform(results)['img'] is image


@pytest.mark.parametrize(
    ('path', 'place'),
    [
        ('videos/001.avi#12', ('videos/001.avi', 12)),
        ('/a#1/b c.MP4#000', ('/a#1/b c.MP4', 0)),
        ('frames/001/000001.jpg', None),
        ('videos/001.avi', None),
        ('001.avi#12.jpg', None),
        ('folder#12', None),
        ('a.avi#-1', None),
    ],
)
def test_which_paths_are_frames(path, place):
    assert split_frame_path(path) == place


def test_keys_are_those_of_an_image(videos):
    path, frames = videos['MJPG.avi']
    name = video_frame_name(str(path), 7)
    results = LoadVideoFrame(color_type='grayscale')(dict(img_path=name))
    assert results['img_shape'] == results['ori_shape'] == (48, 64)
    gray = cv2.cvtColor(frames[7], cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(results['img'], gray)
    assert results['img_path'] == name


def test_converted_videos_train(tmp_path):
    source = tmp_path / 'src' / '001'
    (source / 'annot').mkdir(parents=True)
    video(tmp_path / 'XVID.avi', 20).rename(source / 'vid.avi')
    marks = np.random.default_rng(0).uniform(5, 40, (68, 2))
    for number in range(20):
        write_pts(source / 'annot' / f'{number + 1:06d}.pts', marks)
    frames = decode(source / 'vid.avi')
    jpg, avi = tmp_path / 'jpg', tmp_path / 'avi'
    convert(source.parent, jpg)
    convert(source.parent, avi, frames='avi')

    # The same pixels as those that the other way writes as JPEG files.
    for number in range(20):
        path = jpg / 'frames' / '001' / f'{number + 1:06d}.jpg'
        name = str(avi / 'videos' / f'001.avi#{number}')
        image = LoadVideoFrame()(dict(img_path=name))['img']
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
        assert cv2.imencode('.jpg', image, quality)[1].tobytes() == (
            path.read_bytes()
        )

    dataset = VideoClipDataset(
        ann_file='annotations/official_train.json',
        data_root=str(avi),
        data_prefix=dict(img=''),
        clip_length=4,
        clips_per_video=2,
        pipeline=[dict(type='LoadVideoFrame'), dict(type='PackPoseInputs')],
    )
    assert len(dataset) == 4  # two clips, and two that run backwards
    for item in range(len(dataset)):
        places = dataset.clip_frames(item)
        assert sorted(places, reverse=item > 1) == places
        for image, place in zip(dataset[item]['inputs'], places):
            np.testing.assert_array_equal(
                image.numpy().transpose(1, 2, 0), frames[place]
            )


@pytest.mark.parametrize(
    'name', ['0188_03_021_al_pacino.avi', 'changeLighting.wmv']
)
def test_real_videos(shared, name):
    path = shared / 'videos' / name
    frames = decode(path)
    video = VideoFrames(str(path))
    order = np.random.default_rng(0).permutation(len(frames))[:15]
    for number in [*order.tolist(), 50, 49, 48]:
        np.testing.assert_array_equal(video.read(number), frames[number])


def converted(folder: Path) -> Path:
    """A converted video of 20 frames that stay in it."""
    source = folder / 'src' / '001'
    (source / 'annot').mkdir(parents=True)
    video(folder / 'XVID.avi', 20).rename(source / 'vid.avi')
    marks = np.random.default_rng(0).uniform(5, 40, (68, 2))
    for number in range(20):
        write_pts(source / 'annot' / f'{number + 1:06d}.pts', marks)
    convert(source.parent, folder / 'avi', frames='avi', images='copy')
    return folder / 'avi'


def test_frames_are_checked_and_missed(tmp_path):
    root = converted(tmp_path)
    content = read_dataset(root / 'annotations' / 'official_train.json')
    names = file_names(content)
    pictures = read_images(root, names)
    assert len(pictures) == len({p.digest for p in pictures.values()}) == 20
    assert check_content(content, pictures).count('error') == 0

    dataset = VideoClipDataset(
        ann_file='annotations/official_train.json',
        data_root=str(root),
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=[dict(type='LoadVideoFrame'), lambda results: 1 / 0],
    )
    # A fault of the pipeline is not blamed on the frame.
    with pytest.raises(ZeroDivisionError):
        dataset[3]
    shorter = video(tmp_path / 'XVID.avi', 10)
    shorter.rename(root / 'videos' / '001.avi')
    pictures = read_images(root, names)
    assert [bool(pictures[name].width) for name in names] == (
        [True] * 10 + [False] * 10
    )
    with pytest.raises(UserError, match='#12 cannot be read from its video'):
        dataset[12]
    (root / 'videos' / '001.avi').unlink()
    assert not any(p.digest for p in read_images(root, names).values())
