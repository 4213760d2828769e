"""Other methods over converted data; dlib and MediaPipe are not needed."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import write_stills

from data_converters.errors import DataError

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / 'tools'))

import predict_baseline  # noqa: E402
from baselines import mesh_keypoints as mesh_marks  # noqa: E402
from baselines.baseline import BoxOffset  # noqa: E402
from baselines.predictions import predict  # noqa: E402


class _Corner:
    """Says that all landmarks are at the upper left corner of the box."""

    name, version, weights = 'corner', 'test', Path(__file__)
    habit = BoxOffset(down=0.5, side=2.0)

    def landmarks(self, image, box):
        assert image.dtype == np.uint8
        return np.tile(box[:2], (68, 1)) if box[0] > -1000 else None

    def all_landmarks(self, image):
        return [np.zeros((68, 2)), np.ones((68, 2))]


@pytest.fixture
def stills(tmp_path):
    write_stills(tmp_path / 'data/annotations/some.json', images=3)
    return tmp_path / 'data/annotations/some.json'


def test_habit_moves_and_scales_the_square_round_the_marks():
    # Extent of 10 x 20 about (15, 30): the middle goes down by 0.5 * 20 to
    # (15, 40), the side is 2 * 20.
    box = _Corner.habit.box(np.array([10.0, 20, 10, 20]))
    np.testing.assert_allclose(box, [-5, 20, 40, 40])


def test_image_out_of_the_folder_is_refused(stills):
    text = stills.read_text().replace('images/some_0', '../some_0')
    stills.write_text(text)
    with pytest.raises(DataError, match="out of the data set's folder"):
        predict(_Corner(), stills, 'habit')


@pytest.mark.parametrize('boxes', ['habit', 'extent'])
def test_each_face_is_predicted_by_its_id(stills, boxes):
    found = predict(_Corner(), stills, boxes)
    content = json.loads(stills.read_text())
    assert [f['id'] for f in found['frames']] == [1, 2, 3]
    for frame, face, image in zip(
        found['frames'], content['annotations'], content['images']
    ):
        box = np.array(face['bbox'])
        expected = _Corner.habit.box(box) if boxes == 'habit' else box
        assert frame['file_name'] == image['file_name']
        np.testing.assert_allclose(
            frame['keypoints'], np.tile(expected[:2], (68, 1)), atol=1e-3
        )
        assert frame['ms'] >= 0
    assert 'extent' in found['about']['boxes']
    size = Path(__file__).stat().st_size / 1e6
    assert found['about']['megabytes'] == round(size, 1)


def test_of_a_detector_each_face_is_a_frame_without_id(stills):
    found = predict(_Corner(), stills, 'detector', limit=2)
    assert [f['keypoints'][0] for f in found['frames']] == [[0, 0], [1, 1]] * 2
    assert not any('id' in frame for frame in found['frames'])


def test_what_is_not_found_is_null(stills):
    content = json.loads(stills.read_text())
    content['annotations'][1]['bbox'] = [-2000, 0, 10, 10]
    stills.write_text(json.dumps(content))
    frames = predict(_Corner(), stills, 'extent')['frames']
    assert [f['keypoints'] is None for f in frames] == [False, True, False]


def test_frames_in_videos_are_read(tmp_path, stills):
    content = json.loads(stills.read_text())
    video = cv2.VideoWriter(
        str(stills.parents[1] / 'video.avi'),
        cv2.VideoWriter_fourcc(*'MJPG'),
        25,
        (64, 64),
    )
    for number in range(4):
        video.write(np.full((64, 64, 3), 50 * number, np.uint8))
    video.release()
    for number, image in zip((3, 1), content['images']):
        image['file_name'] = f'video.avi#{number}'
    stills.write_text(json.dumps(content))
    means = {}

    class Mean(_Corner):
        def landmarks(self, image, box):
            means[len(means)] = image.mean()

    frames = predict(Mean(), stills, 'extent')['frames']
    # The still first, then the video in its order.
    assert [f['id'] for f in frames] == [3, 2, 1]
    assert abs(means[1] - 50) < 3 and abs(means[2] - 150) < 3


def test_unreadable_image_is_named(stills):
    content = json.loads(stills.read_text())
    (stills.parents[1] / content['images'][1]['file_name']).unlink()
    with pytest.raises(DataError, match='some_1.jpg: cannot be read'):
        predict(_Corner(), stills, 'extent')


def test_absent_package_is_one_sentence(stills, monkeypatch, capsys):
    monkeypatch.setitem(
        predict_baseline.BASELINES, 'dlib', ('baselines.not_there', 'Nothing')
    )
    out = stills.with_name('out.json')
    monkeypatch.setattr(
        sys,
        'argv',
        ['predict_peer.py', '--baseline=dlib', str(stills), f'--out={out}'],
    )
    with pytest.raises(SystemExit) as ended:
        predict_baseline.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'requirements/baselines.txt' in line and not out.exists()


def test_marks_of_a_mesh_are_at_their_vertices():
    # Vertex v at (v, 0), so that a mark tells its vertex.
    mesh = np.stack([np.arange(468.0), np.zeros(468)], 1)
    marks = mesh_marks.keypoints_of_mesh(mesh)
    assert marks.shape == (68, 2)
    # Ends of the jaw; nose tip; corners of eyes and mouth.
    names = {0: 127, 16: 356, 27: 168, 30: 4, 33: 2}
    names |= {36: 33, 39: 133, 42: 362, 45: 263, 48: 61, 54: 291}
    for mark, vertex in names.items():
        assert marks[mark, 0] == vertex, mark


def test_points_are_even_along_a_line():
    # A right angle of 3 + 1: steps of 4 / 4.
    line = np.array([[0.0, 0], [3, 0], [3, 1]])
    np.testing.assert_allclose(
        mesh_marks.evenly_along(line, 5),
        [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]],
    )
