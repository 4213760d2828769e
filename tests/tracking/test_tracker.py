"""Following faces: ids, boxes, what is lost and what comes back."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from drawn_faces import SIZE, SquareNetwork, box, frame, squares

from rednet_mm.apis import LandmarkTracker, OneEuroFilter
from rednet_mm.tracking.crops import Cropper
from rednet_mm.utils.errors import UserError


class Asked:
    """A detector of white squares that counts how often it is asked."""

    def __init__(self):
        self.times = 0

    def __call__(self, image):
        self.times += 1
        return squares(image)


def tracker_of(detector=squares, **settings):
    return LandmarkTracker(SquareNetwork(), detector, **settings)


def run(tracker, frames, **given):
    """Ids and events (kind, id) of each frame, and the last state."""
    state, ids, events = tracker.init_state(), [], []
    for image in frames:
        faces, state = tracker.step(image, state, **given)
        given = {}
        ids.append([face.id for face in faces])
        events.append([(each.kind, each.face) for each in state.events])
    return ids, events, state


def test_faces_keep_their_ids_and_boxes_follow():
    tracker = tracker_of()
    video = [frame((10 + 3 * i, 10), (90 - 3 * i, 60)) for i in range(10)]
    state = tracker.init_state()
    for number, image in enumerate(video):
        faces, state = tracker.step(image, state)
        assert [face.id for face in faces] == [0, 1]
        for face, x in zip(faces, (10 + 3 * number, 90 - 3 * number)):
            # Pixels of the crop are 24 / 63 of a frame's: half a square's
            # edge is lost or won at most.
            low, high = face.keypoints.min(0), face.keypoints.max(0)
            assert abs(low[0] - x) < 0.6
            assert abs(high[0] - (x + 15)) < 0.6
    # All faces of a frame are one batch; each goes on with its own memory.
    assert tracker.network.batches == [2] * 10
    assert tracker.network.memories == [[n, n] for n in range(10)]
    assert state.frame == 10
    assert state.ids == (0, 1)


def test_detector_is_asked_at_first_at_a_loss_and_from_time_to_time():
    asked = Asked()
    tracker = tracker_of(asked, redetect_interval=4)
    state = tracker.init_state()
    both, one = frame((10, 10), (80, 60)), frame((10, 10))
    counts = []
    for image in [one] * 6 + [both] * 3 + [one] * 2:
        _, state = tracker.step(image, state)
        counts.append(asked.times)
    # Frame 0, then 4; the second face is found in 8; it is lost in 9.
    assert counts == [1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 4]
    assert state.ids == (0,)
    assert [face.id for face in state.lost] == [1]
    # Where none is followed it is asked in every frame.
    for _ in range(3):
        _, state = tracker.step(frame(), state)
    assert asked.times == 7


def test_never_asked_again_while_all_goes_well():
    asked = Asked()
    run(tracker_of(asked, redetect_interval=0), [frame((10, 10))] * 30)
    assert asked.times == 1


def test_no_face_at_all():
    ids, events, state = run(tracker_of(), [frame()] * 3)
    assert ids == events == [[], [], []]
    assert state.ids == ()


@pytest.mark.parametrize(
    ('away', 'move', 'same'),
    [(5, 8, True), (5, 40, False), (30, 8, False)],
)
def test_id_survives_a_short_loss_nearby(away, move, same):
    tracker = tracker_of(max_lost_frames=20, max_displacement=1.0)
    video = [frame((20, 20))] * 3 + [frame()] * away
    ids, events, _ = run(tracker, [*video, frame((20 + move, 20))])
    assert ids[:4] == [[0], [0], [0], []]
    assert events[3] == [('lost', 0)]
    assert all(each == [] for each in ids[3:-1])
    assert ids[-1] == ([0] if same else [1])
    assert events[-1] == [('returned', 0) if same else ('appeared', 1)]


def test_the_nearest_of_two_lost_faces_comes_back():
    tracker = tracker_of(max_displacement=3.0)
    video = [frame((20, 20), (60, 20)), frame(), frame((52, 20), (28, 20))]
    ids, events, state = run(tracker, video)
    assert ids == [[0, 1], [], [1, 0]] or ids == [[0, 1], [], [0, 1]]
    x = {face.id: face.box[0] for face in state.faces}
    assert x[0] < x[1]
    assert sorted(events[-1]) == [('returned', 0), ('returned', 1)]


def test_face_that_leaves_the_image():
    # What is left of it in the image shrinks until it is no face.
    video = [frame((110 + 3 * i, 40)) for i in range(8)]
    ids, events, state = run(tracker_of(None), video, boxes=box(110, 40))
    assert ids[0] == [0]
    assert [each for some in events for each in some][1:] == [('lost', 0)]
    assert state.ids == ()


def test_face_whose_middle_is_outside_has_left():
    tracker = tracker_of(None)
    # Landmarks at the right edge of the crop: its 54 pixels begin at x = 79,
    # the middle of the keypoints is 55.5 / 63 of them further, at 127; the
    # next crop is of 19 pixels from 117 on, and the middle at 134.
    marks = np.array([(48, 20), (63, 20), (48, 35), (63, 35)] + [(50, 30)] * 3)
    tracker.network.one = lambda white: (marks, 1.0)
    ids, events, state = run(tracker, [frame()] * 2, boxes=box(88, 30, 36))
    assert ids == [[0], []]
    assert events == [[('appeared', 0)], [('left', 0)]]
    assert [face.id for face in state.lost] == [0]


def test_two_tracks_on_one_face_become_the_older():
    # Two squares run into each other and are one from then on.
    video = [frame((10 + 4 * i, 30), (90 - 4 * i, 30)) for i in range(11)]
    video += [frame((50, 30))] * 3
    ids, events, state = run(tracker_of(redetect_interval=0), video)
    assert ids[0] == [0, 1]
    assert ids[-1] == [0]
    merged = [each for some in events for each in some if each[0] == 'merged']
    assert merged == [('merged', 1)]
    assert state.ids == (0,)


def test_boxes_of_the_user_are_where_faces_are_looked_for():
    asked = Asked()
    tracker = tracker_of(asked)
    state = tracker.init_state()
    image = frame((10, 10), (80, 60))
    given = box(12, 9, 18)
    faces, state = tracker.step(image, state, given)
    assert asked.times == 0
    assert [face.id for face in faces] == [0]
    assert faces[0].box.tolist() == given[0].tolist()
    # Other boxes: the first lies on face 0, the second is new.
    both = np.concatenate([box(78, 58), box(9, 11)])
    faces, state = tracker.step(image, state, both)
    assert {face.id: face.box.tolist() for face in faces} == {
        0: both[1].tolist(),
        1: both[0].tolist(),
    }
    assert tracker.network.memories[-1] == [0, 1]
    # A face that the boxes do not hold is not followed on.
    faces, state = tracker.step(image, state, both[:1])
    assert [face.id for face in faces] == [1]
    assert [(e.kind, e.face) for e in state.events] == [('replaced', 0)]
    # Boxes in which nothing is: no landmarks are claimed.
    faces, state = tracker.step(image, state, box(50, 10))
    assert faces == []
    assert asked.times == 0


@pytest.mark.parametrize('boxes', [[[1, 2, 0, 4]], [[1, 2, np.nan, 4]]])
def test_boxes_that_are_none(boxes):
    tracker = tracker_of()
    with pytest.raises(UserError, match='of frame 0: give x y w h'):
        tracker.step(frame(), tracker.init_state(), boxes)


def test_without_a_detector_a_face_is_looked_for_where_it_was():
    video = [frame((20, 20))] * 2 + [frame()] * 3 + [frame((22, 20))] * 2
    ids, events, state = run(tracker_of(None), video, boxes=box(20, 20))
    assert ids == [[0], [0], [], [], [], [0], [0]]
    assert [len(each) for each in events] == [1, 0, 1, 0, 0, 1, 0]
    # It is forgotten: nothing is looked for any more.
    tracker = tracker_of(None, max_lost_frames=3)
    ids, _, state = run(
        tracker, video[:2] + [frame()] * 9 + video[5:], boxes=box(20, 20)
    )
    assert ids[-1] == []
    assert state.lost == ()


def test_whole_frame_where_no_detector_is_named():
    tracker = LandmarkTracker(SquareNetwork())
    faces, _ = tracker.step(frame((40, 30)), tracker.init_state())
    assert [face.box.tolist() for face in faces] == [[0, 0, *SIZE[::-1]]]


def test_frames_that_are_not_as_the_others():
    tracker = tracker_of()
    state = tracker.init_state()
    image = frame((20, 20))
    faces, state = tracker.step(image, state)
    gray = image[..., 0]
    for other in (gray, gray[..., None], np.dstack([image, gray])):
        again, state = tracker.step(other, state)
        assert [face.id for face in again] == [0]
        np.testing.assert_allclose(
            again[0].keypoints, faces[0].keypoints, atol=0.5
        )
    # An empty one says nothing of the faces.
    for empty in (np.zeros((0, 128, 3), np.uint8), np.zeros((0,), np.uint8)):
        none, state = tracker.step(empty, state)
        assert none == []
        assert [each.kind for each in state.events] == ['empty']
        assert state.ids == (0,)
    # Twice as large, the same view: boxes are scaled.
    large = image.repeat(2, 0).repeat(2, 1)
    faces, state = tracker.step(large, state)
    assert [each.kind for each in state.events] == ['resized']
    assert [face.id for face in faces] == [0]
    np.testing.assert_allclose(faces[0].keypoints[0], [40, 40], atol=1)
    # One pixel, and none of it a face.
    faces, state = tracker.step(np.zeros((1, 1, 3), np.uint8), state)
    assert faces == []
    assert state.frame == 8


@pytest.mark.parametrize(
    'image',
    [
        np.full((8, 8, 3), 256.0),
        # Of [0, 1], not of [0, 255].
        np.full((8, 8, 3), 0.5, np.float32),
        np.full((8, 8, 3), np.nan),
        np.zeros((8, 8, 3), np.int16),
        np.zeros((8, 8, 2), np.uint8),
        'frame',
    ],
)
def test_what_is_no_image_is_named_by_its_number(image):
    tracker = tracker_of()
    _, state = tracker.step(frame(), tracker.init_state())
    with pytest.raises(UserError, match='frame 1 is no image'):
        tracker.step(image, state)


def test_thresholds_come_with_the_network_and_can_be_overridden():
    network = SquareNetwork(min_score=1.1, redetect_interval=7)
    tracker = LandmarkTracker(network, squares)
    assert tracker.settings.redetect_interval == 7
    assert run(tracker, [frame((20, 20))])[0] == [[]]
    kept = LandmarkTracker(network, squares, min_score=0.5)
    assert run(kept, [frame((20, 20))])[0] == [[0]]
    # A square's maps are spread by 1, those of nothing by 10.
    wide = LandmarkTracker(network, squares, min_score=-1, max_spread=0.9)
    assert run(wide, [frame((20, 20))])[0] == [[]]
    with pytest.raises(UserError, match="no setting 'min_scores'; it has min"):
        LandmarkTracker(network, min_scores=1)
    with pytest.raises(UserError, match="'extent' or 'authors'"):
        LandmarkTracker(network, box_rule='square')


def test_smoothing_changes_what_is_given_out_and_no_box():
    video = [frame((20 + 4 * (n % 2), 20)) for n in range(12)]
    plain = tracker_of(detector=squares)
    smooth = LandmarkTracker(SquareNetwork(), squares, OneEuroFilter())
    states = [plain.init_state(), smooth.init_state()]
    shown = [[], []]
    for number, image in enumerate(video):
        for place, tracker in enumerate((plain, smooth)):
            (face,), states[place] = tracker.step(
                image, states[place], time=number / 30
            )
            shown[place].append(face)
    for one, other in zip(*shown):
        np.testing.assert_array_equal(one.box, other.box)
    x = [[face.keypoints[0, 0] for face in faces] for faces in shown]
    # Trembling by four pixels becomes less than two.
    assert np.ptp(x[0][6:]) > 3.5
    assert np.ptp(x[1][6:]) < 2
    assert states[1].faces[0].smooth is not None


def test_reset_forgets_faces_and_goes_on_counting():
    tracker = tracker_of()
    _, state = tracker.step(frame((20, 20)), tracker.init_state())
    state = tracker.reset(state)
    assert state.ids == state.lost == ()
    faces, state = tracker.step(frame((20, 20)), state)
    assert [face.id for face in faces] == [1]
    assert state.frame == 2


def test_state_and_memory_do_not_grow():
    """Faces come, go and jump for 5,000 frames."""
    tracker = LandmarkTracker(
        SquareNetwork(), squares, OneEuroFilter(), redetect_interval=3
    )
    tracker.crop = Cropper((16, 16), 1.5)
    rng = np.random.default_rng(0)
    images = [
        frame(*rng.integers(0, 80, (number % 3, 2)), side=24)
        for number in range(40)
    ]
    state, sizes = tracker.init_state(), []
    for number in range(5000):
        if number == 4600:
            tracemalloc.start()
        _, state = tracker.step(images[number % 40], state)
        tracker.network.batches.clear()
        tracker.network.memories.clear()
        if number % 7 == 0:
            sizes.append(len(pickle.dumps(state)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert state.next_id > 200
    # After 400 frames as much is known as ever will be.
    assert max(sizes[60:]) <= max(sizes[:60]) * 1.1
    # What the last 400 frames have left behind is the state.
    assert held < 100_000


def test_settings_of_older_configs_warn_and_count():
    from rednet_mm.tracking import TrackerSettings

    with pytest.warns(FutureWarning, match='use match_threshold'):
        settings = TrackerSettings.of(same_face=0.4)
    assert settings.match_threshold == 0.4
