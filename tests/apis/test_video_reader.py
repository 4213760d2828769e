"""Frames of videos, folders and cameras in."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from rednet_mm.apis import VideoWriter, read_frames
from rednet_mm.utils.errors import UserError


def plain(level: int, size=(48, 64)) -> np.ndarray:
    """A frame (H, W, 3) of one gray level."""
    return np.full((*size, 3), level, np.uint8)


def write_video(path, frames, fps=25.0) -> str:
    writer = VideoWriter(str(path), fps)
    for frame in frames:
        writer.write(frame)
    writer.close()
    return str(path)


def noise(count: int) -> list[np.ndarray]:
    """Frames that do not compress, so that a byte of video is a frame's."""
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (count, 48, 64, 3), np.uint8))


def test_frames_are_those_that_opencv_reads(tmp_path):
    path = write_video(tmp_path / 'video.mp4', noise(5))
    theirs = cv2.VideoCapture(path)
    count = 0
    for image, _ in read_frames(path):
        np.testing.assert_array_equal(image, theirs.read()[1])
        count += 1
    assert count == 5


# A track header's matrix (a b u, c d v, x y w) takes the direction to the
# right, (1, 0), to (a, b) and the one down, (0, 1), to (c, d), with y down.
@pytest.mark.parametrize(
    ('matrix', 'turn'),
    [
        # Right becomes down: clockwise.
        ((0, 1, -1, 0), cv2.ROTATE_90_CLOCKWISE),
        # Right becomes up: against the clock.
        ((0, -1, 1, 0), cv2.ROTATE_90_COUNTERCLOCKWISE),
        ((-1, 0, 0, -1), cv2.ROTATE_180),
    ],
)
def test_a_video_is_turned_upright(tmp_path, matrix, turn):
    quarters = plain(20)
    quarters[:24, :32] = 230
    quarters[24:, :32] = 120
    path = write_video(tmp_path / 'video.mp4', [quarters])
    data = bytearray((tmp_path / 'video.mp4').read_bytes())
    # The matrix begins 40 bytes behind the name of the box: version, five
    # numbers, 8 reserved bytes, four half numbers; 16.16 fixed point.
    begin = data.index(b'tkhd') + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[begin : begin + 36] = struct.pack(
        '>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30
    )
    (tmp_path / 'video.mp4').write_bytes(data)
    ((image, _),) = read_frames(path)
    np.testing.assert_allclose(
        image.astype(float), cv2.rotate(quarters, turn), atol=8
    )


def test_a_video_that_is_cut_off(tmp_path):
    path = write_video(tmp_path / 'video.mp4', noise(40))
    data = (tmp_path / 'video.mp4').read_bytes()
    (tmp_path / 'video.mp4').write_bytes(data[: len(data) // 2])
    frames = read_frames(path)
    assert frames.fault is None
    seen = list(frames)
    # All frames take about as many bytes.
    assert 15 <= len(seen) <= 21
    assert frames.count == 40
    assert frames.fault.startswith(f'{path} ')
    assert 'breaks off' in frames.fault or 'is damaged' in frames.fault


def test_a_video_that_ends_between_two_frames(tmp_path):
    path = write_video(tmp_path / 'video.avi', noise(40))
    data = (tmp_path / 'video.avi').read_bytes()
    # Behind movi, 00dc names the data of one frame.
    begin = data.index(b'movi')
    places = [
        place
        for place in range(begin, len(data))
        if data.startswith(b'00dc', place)
    ]
    (tmp_path / 'video.avi').write_bytes(data[: places[10]])
    frames = read_frames(path)
    assert len(list(frames)) == 10
    assert frames.fault == (
        f'{path} breaks off after 0.36 s: 10 of 40 frames are there'
    )


def test_a_video_with_a_hole(tmp_path):
    path = write_video(tmp_path / 'video.mp4', noise(40))
    data = bytearray((tmp_path / 'video.mp4').read_bytes())
    middle = len(data) // 2
    length = len(data) // 10
    data[middle : middle + length] = bytes(length)
    (tmp_path / 'video.mp4').write_bytes(data)
    frames = read_frames(path)
    times = [frame.time for frame in frames]
    # At most six frames' worth of bytes are missing, the rest has kept its
    # times to the last frame, 39 / 25 s.
    assert 33 <= len(times) < 40
    assert times[-1] == pytest.approx(39 / 25)
    assert frames.fault.startswith(f'{path} is damaged at ')


def test_a_whole_video_has_no_fault(tmp_path):
    for name in ('video.mp4', 'video.avi'):
        path = write_video(tmp_path / name, noise(30), fps=30000 / 1001)
        frames = read_frames(path)
        assert len(list(frames)) == 30
        assert frames.fault is None


def test_real_videos(shared):
    """Every container in the folder is read to its end and in order."""
    videos = [each for each in (shared / 'videos').iterdir() if each.suffix]
    videos = [each for each in videos if each.suffix != '.md']
    assert {each.suffix for each in videos} == {'.avi', '.mov', '.mp4', '.wmv'}
    for video in videos:
        with read_frames(str(video)) as frames:
            times = [frame.time for _, frame in zip(range(40), frames)]
        assert len(times) == 40
        assert (np.diff(times) > 0).all()
    # Frames of a video of variable rate keep their own times.
    (video,) = (each for each in videos if each.suffix == '.wmv')
    with read_frames(str(video)) as frames:
        first = [round(frame.time, 3) for _, frame in zip(range(4), frames)]
    assert first == [0.072, 0.136, 0.201, 0.265]


def test_folder_in_natural_order(tmp_path):
    for name, level in [('b10.PNG', 90), ('b2.png', 20), ('c.jpg', 160)]:
        _, data = cv2.imencode(name[-4:].lower(), plain(level))
        (tmp_path / name).write_bytes(data.tobytes())
    (tmp_path / 'notes.txt').write_text('not a frame')
    frames = read_frames(str(tmp_path))
    assert (frames.count, frames.fps) == (3, 25)
    images, times = zip(*frames)
    assert [round(image.mean()) for image in images] == [20, 90, 160]
    np.testing.assert_allclose(times, [0, 0.04, 0.08])


def test_nothing_there(tmp_path):
    path = tmp_path / 'nowhere.mp4'
    with pytest.raises(FileNotFoundError) as caught:
        read_frames(str(path))
    assert str(caught.value).startswith(f'{path} does not exist; ')


def test_folder_without_images(tmp_path):
    (tmp_path / 'notes.txt').write_text('not a frame')
    with pytest.raises(FileNotFoundError) as caught:
        read_frames(str(tmp_path))
    assert str(caught.value).startswith(f'{tmp_path} has no images; ')


def test_not_a_video(tmp_path):
    path = tmp_path / 'video.mp4'
    path.write_bytes(b'not a video')
    with pytest.raises(ValueError) as caught:
        read_frames(str(path))
    assert str(caught.value).startswith(f'{path} is not a video')


def test_folder_with_a_broken_image(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), plain(20))
    (tmp_path / '2.png').write_bytes(b'not an image')
    frames = iter(read_frames(str(tmp_path)))
    assert next(frames).image.shape == (48, 64, 3)
    with pytest.raises(ValueError) as caught:
        next(frames)
    assert str(caught.value).startswith(f'{tmp_path}/2.png is not an image')


class FakeCamera:
    """A camera that gives three frames and is then pulled out."""

    opens = True

    def __init__(self, number: int) -> None:
        assert number == 7
        self.left = 3

    def isOpened(self) -> bool:
        return self.opens

    def set(self, *_: object) -> bool:
        return True

    def get(self, _: int) -> float:
        return 0.0

    def read(self):
        self.left -= 1
        return self.left >= 0, plain(50)

    def release(self) -> None:
        self.left = 0


def test_camera(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCamera)
    with read_frames('7') as frames:
        assert (frames.count, frames.fps) == (0, 25)
        times = [frame.time for frame in frames]
    assert len(times) == 3
    assert times == sorted(times)
    assert frames.fault.startswith('camera 7 stopped after ')


def test_camera_that_is_not_there(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCamera)
    monkeypatch.setattr(FakeCamera, 'opens', False)
    with pytest.raises(ValueError, match=r'^camera 7 cannot be opened; '):
        read_frames('7')


@pytest.mark.parametrize('suffix', ['.m3u8', '.mp4', '.avi'])
@pytest.mark.parametrize(
    'content',
    [
        '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{video}\n'
        '#EXT-X-ENDLIST\n',
        'ffconcat version 1.0\nfile video.mp4\n',
    ],
)
def test_list_of_videos_is_no_video(tmp_path, content, suffix):
    # FFmpeg would open what it names, wherever that is.
    video = tmp_path / 'video.mp4'
    write_video(video, [plain(9)])
    path = tmp_path / f'list{suffix}'
    path.write_text(content.format(video=video))
    with pytest.raises(UserError, match='is not a video that can be read'):
        read_frames(str(path))


def test_frame_of_more_pixels_than_are_read(tmp_path, monkeypatch):
    video = tmp_path / 'video.mp4'
    write_video(video, [plain(9)])
    monkeypatch.setattr('rednet_mm.apis.video_reader.MOST_PIXELS', 100)
    with pytest.raises(UserError, match='is not a video that can be read'):
        read_frames(str(video))


def test_picture_of_more_pixels_than_opencv_decodes(tmp_path):
    # 60,000 x 60,000; OpenCV raises, where it gives None for damage.
    header = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'
    size = b'\0\0\xea\x60' * 2 + b'\x08\2\0\0\0'
    check = zlib.crc32(b'IHDR' + size).to_bytes(4, 'big')
    end = b'\0\0\0\0IEND\xaeB`\x82'
    (tmp_path / 'a.png').write_bytes(header + size + check + end)
    with pytest.raises(UserError, match='is not an image that can be read'):
        next(iter(read_frames(str(tmp_path))))


def test_video_of_a_codec_that_nobody_knows(tmp_path):
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (64, 48)
    )
    writer.write(plain(9))
    writer.release()
    path.write_bytes(path.read_bytes().replace(b'MJPG', b'\1\2\3\4'))
    with pytest.raises(UserError, match='is not a video that can be read'):
        read_frames(str(path))
