"""Videos out, however the writing ends."""

from __future__ import annotations

import os
import signal
import time

import av
import numpy as np
import pytest
from builders import FORKSERVER
from test_video_reader import plain, write_video

from rednet_mm.apis import VideoWriter, read_frames
from rednet_mm.utils.cli import stop_on_sigterm
from rednet_mm.utils.errors import UserError

LEVELS = [20, 90, 160, 230]


@pytest.mark.parametrize('name', ['video.mp4', 'new/folder/video.avi'])
def test_video_there_and_back(tmp_path, name):
    path = tmp_path / name
    write_video(path, map(plain, LEVELS), fps=12.5)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    frames = read_frames(str(path))
    assert frames.count == 4
    assert frames.fps == pytest.approx(12.5)
    images, times = zip(*frames)
    assert {image.shape for image in images} == {(48, 64, 3)}
    np.testing.assert_allclose(times, [0, 0.08, 0.16, 0.24], atol=1e-5)
    # The order is kept; compression shifts a level by a few.
    np.testing.assert_allclose(
        [image.mean() for image in images], LEVELS, atol=6
    )


def test_a_browser_can_play_it(tmp_path):
    path = write_video(tmp_path / 'video.mp4', map(plain, LEVELS))
    with av.open(path) as video:
        context = video.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ('h264', 'yuv420p')
    data = (tmp_path / 'video.mp4').read_bytes()
    # The index stands before the data, and there are no fragments left.
    assert data.index(b'moov') < data.index(b'mdat')
    assert b'moof' not in data


def test_times_are_kept(tmp_path):
    """A late first frame, unequal steps; to half a tick of 1/90000 s."""
    times = [0.072, 0.1, 0.5, 0.51, 2.0]
    writer = VideoWriter(str(tmp_path / 'video.mp4'), 15)
    for moment in times:
        writer.write(plain(90), moment)
    writer.close()
    read = [frame.time for frame in read_frames(str(tmp_path / 'video.mp4'))]
    np.testing.assert_allclose(read, times, atol=0.51 / 90000)


def test_times_that_do_not_grow_are_put_in_order(tmp_path):
    writer = VideoWriter(str(tmp_path / 'video.mp4'), 25)
    for moment in [0.5, 0.5, 0.4]:
        writer.write(plain(90), moment)
    writer.close()
    read = [frame.time for frame in read_frames(str(tmp_path / 'video.mp4'))]
    assert len(read) == 3
    assert (np.diff(read) > 0).all()


@pytest.mark.parametrize('name', ['video.mp4', 'video.avi'])
def test_odd_sizes_grow_by_a_pixel(tmp_path, name):
    image = plain(90, size=(47, 63))
    image[:, -1] = 200
    path = write_video(tmp_path / name, [image])
    ((read, _),) = read_frames(path)
    assert read.shape == (48, 64, 3)
    assert abs(int(read[10, 20, 0]) - 90) < 6
    # The column that was added is a copy of the last.
    assert abs(int(read[10, 63, 0]) - 200) < 12


def test_video_appears_only_when_closed(tmp_path):
    path = tmp_path / 'video.mp4'
    path.write_bytes(b'an older video')
    writer = VideoWriter(str(path), 25)
    writer.write(plain(50))
    assert path.read_bytes() == b'an older video'
    writer.close()
    assert len(list(read_frames(str(path)))) == 1
    assert list(tmp_path.iterdir()) == [path]
    # Closed twice is closed.
    writer.close()
    assert list(tmp_path.iterdir()) == [path]


def _write_and_stop(path: str, seconds: int, kill: int) -> None:
    """Ten frames a second, and then a signal to oneself."""
    # A shell starts what runs in its background with SIGINT ignored, and the
    # tests hand that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    writer = VideoWriter(path, 10)
    with stop_on_sigterm():
        try:
            for number in range(10 * seconds):
                writer.write(plain(number))
            os.kill(os.getpid(), kill)
            # Not signal.pause(): another thread may be the one to get it.
            while True:
                time.sleep(0.1)
        except KeyboardInterrupt:
            pass
        finally:
            writer.close()


def _stopped(path: str, kill: int) -> int:
    process = FORKSERVER.Process(
        target=_write_and_stop, args=(path, 3, kill), daemon=True
    )
    process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
        pytest.fail('the process did not stop')
    return process.exitcode


def test_killed_the_part_can_be_played(tmp_path):
    code = _stopped(str(tmp_path / 'video.mp4'), signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert [each.name for each in tmp_path.iterdir()] == ['video.part.mp4']
    times = [
        frame.time for frame in read_frames(str(tmp_path / 'video.part.mp4'))
    ]
    # 30 frames were written, and a fragment is ten.
    assert len(times) >= 20
    np.testing.assert_allclose(times, np.arange(len(times)) / 10, atol=1e-5)


@pytest.mark.parametrize('kill', [signal.SIGTERM, signal.SIGINT])
def test_stopped_the_video_is_whole(tmp_path, kill):
    _stopped(str(tmp_path / 'video.mp4'), kill)
    assert [each.name for each in tmp_path.iterdir()] == ['video.mp4']
    assert len(list(read_frames(str(tmp_path / 'video.mp4')))) == 30


def test_no_frame_no_file(tmp_path):
    VideoWriter(str(tmp_path / 'video.avi'), 25).close()
    assert list(tmp_path.iterdir()) == []


def test_frame_of_another_size_is_scaled(tmp_path):
    path = tmp_path / 'video.avi'
    writer = VideoWriter(str(path), 25)
    writer.write(plain(50))
    writer.write(plain(90, size=(96, 66)))
    writer.close()
    first, second = (frame.image for frame in read_frames(path))
    assert first.shape == second.shape == (48, 64, 3)
    assert abs(float(second.mean()) - 90) < 3


def test_two_writers_do_not_spoil_one_video(tmp_path):
    first, second = (VideoWriter(str(tmp_path / 'a.mp4'), 25) for _ in '12')
    first.write(plain(50))
    with pytest.raises(UserError, match='is being written'):
        second.write(plain(90))
    second.close()
    first.close()
    # One after the other they may.
    second.write(plain(90))
    second.close()
    ((image, _),) = read_frames(tmp_path / 'a.mp4')
    assert abs(float(image.mean()) - 90) < 3


def test_video_of_no_known_kind(tmp_path):
    writer = VideoWriter(str(tmp_path / 'film.xyz'), 25)
    with pytest.raises(ValueError, match=r'name a \.mp4 or \.avi file'):
        writer.write(plain(50))
