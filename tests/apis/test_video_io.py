"""Films and folders in, films out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rednet_mm.apis import VideoWriter, read_frames


def plain(level: int, size=(48, 64)) -> np.ndarray:
    """A frame (H, W, 3) of one gray level."""
    return np.full((*size, 3), level, np.uint8)


LEVELS = [20, 90, 160, 230]


def write_film(path) -> None:
    writer = VideoWriter(str(path), 12.5)
    for level in LEVELS:
        writer.write(plain(level))
    writer.close()


@pytest.mark.parametrize('name', ['film.mp4', 'new/folder/film.avi'])
def test_film_there_and_back(tmp_path, name):
    path = tmp_path / name
    write_film(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    frames, count, fps = read_frames(str(path))
    frames = list(frames)
    assert count == len(frames) == 4
    assert fps == pytest.approx(12.5)
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    # The order is kept; compression shifts a level by a few.
    np.testing.assert_allclose(
        [frame.mean() for frame in frames], LEVELS, atol=6
    )


def test_film_appears_only_when_closed(tmp_path):
    path = tmp_path / 'film.avi'
    path.write_bytes(b'an older film')
    writer = VideoWriter(str(path), 25)
    writer.write(plain(50))
    assert path.read_bytes() == b'an older film'
    writer.close()
    frames, _, _ = read_frames(str(path))
    assert len(list(frames)) == 1
    assert list(tmp_path.iterdir()) == [path]
    # Closed twice is closed.
    writer.close()
    assert list(tmp_path.iterdir()) == [path]


def test_no_frame_no_file(tmp_path):
    VideoWriter(str(tmp_path / 'film.avi'), 25).close()
    assert list(tmp_path.iterdir()) == []


def test_frame_of_another_size(tmp_path):
    writer = VideoWriter(str(tmp_path / 'film.avi'), 25)
    writer.write(plain(50))
    with pytest.raises(ValueError) as caught:
        writer.write(plain(50, size=(48, 66)))
    assert str(caught.value).startswith(
        f'{tmp_path}/film.avi: a frame of (66, 48) pixels in a film of '
        '(64, 48)'
    )
    # What was written until then is the film.
    writer.close()
    assert len(list(read_frames(str(tmp_path / 'film.avi'))[0])) == 1


def test_film_of_no_known_kind(tmp_path):
    writer = VideoWriter(str(tmp_path / 'film.xyz'), 25)
    with pytest.raises(ValueError, match=r'name a \.mp4 or \.avi file'):
        writer.write(plain(50))


def test_folder_in_order_of_names(tmp_path):
    for name, level in [('b.PNG', 90), ('a.png', 20), ('c.jpg', 160)]:
        _, data = cv2.imencode(name[1:].lower(), plain(level))
        (tmp_path / name).write_bytes(data.tobytes())
    (tmp_path / 'notes.txt').write_text('not a frame')
    frames, count, fps = read_frames(str(tmp_path))
    assert (count, fps) == (3, 25)
    assert [round(frame.mean()) for frame in frames] == [20, 90, 160]


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


def test_not_a_film(tmp_path):
    path = tmp_path / 'film.mp4'
    path.write_bytes(b'not a film')
    with pytest.raises(ValueError) as caught:
        read_frames(str(path))
    assert str(caught.value).startswith(f'{path} is not a film')


def test_folder_with_a_broken_image(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), plain(20))
    (tmp_path / '2.png').write_bytes(b'not an image')
    frames, _, _ = read_frames(str(tmp_path))
    assert next(frames).shape == (48, 64, 3)
    with pytest.raises(ValueError) as caught:
        next(frames)
    assert str(caught.value).startswith(f'{tmp_path}/2.png is not an image')
