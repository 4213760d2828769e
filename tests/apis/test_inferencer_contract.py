"""What MMPose's own tests and demo ask of an inferencer, and several calls."""

from __future__ import annotations

import inspect
import json
import runpy
import shutil
import sys
from pathlib import Path

import av
import cv2
import mmpose
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model
from mmpose.structures import PoseDataSample

from rednet_mm.apis import REDNetInferencer, VideoWriter, read_frames
from rednet_mm.utils.errors import UserError

DEMO = Path(mmpose.__file__).parent / '.mim/demo/inferencer_demo.py'
BOXES = [[10, 5, 50, 45], [50, 30, 80, 60]]  # x1 y1 x2 y2


@pytest.fixture(scope='module')
def peer(weights):
    return MMPoseInferencer(*weights, device='cpu', det_model='whole_image')


def noise(seed: int = 0, size: tuple[int, int] = (80, 96)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8)


def write_video(path: Path, frames: int, size=(80, 96), seed=0) -> str:
    writer = VideoWriter(str(path.with_suffix('.mp4')), 25)
    for number in range(frames):
        writer.write(noise(seed + number, size))
    writer.close()
    path.with_suffix('.mp4').rename(path)
    return str(path)


def saved_frames(path: Path) -> list:
    return [each['instances'] for each in json.loads(path.read_text())]


def said(monkeypatch) -> list[str]:
    """The warnings of the log, as they come."""
    lines: list[str] = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handlers', [])
    monkeypatch.setattr(
        logger, 'callHandlers', lambda record: lines.append(record.msg)
    )
    return lines


# -- the same call ----------------------------------------------------------


def test_mmposes_demo_script_runs(weights, tmp_path, monkeypatch):
    image = tmp_path / 'still.jpg'
    cv2.imwrite(str(image), noise())
    monkeypatch.setattr(
        'mmpose.apis.inferencers.MMPoseInferencer', REDNetInferencer
    )
    monkeypatch.setattr(
        sys,
        'argv',
        f'{DEMO} {image} --pose2d {weights[0]} --pose2d-weights {weights[1]} '
        f'--det-model whole_image --device cpu --draw-heatmap --draw-bbox '
        f'--vis-out-dir {tmp_path}/vis --pred-out-dir {tmp_path}/pred'.split(),
    )
    runpy.run_path(str(DEMO), run_name='__main__')
    (face,) = json.loads((tmp_path / 'pred/still.json').read_text())
    assert len(face['keypoints']) == 68
    # The heatmaps lie below the image.
    assert cv2.imread(str(tmp_path / 'vis/still.jpg')).shape == (160, 96, 3)


def test_arguments_have_mmposes_order(weights):
    theirs = list(inspect.signature(MMPoseInferencer.__init__).parameters)
    ours = list(inspect.signature(REDNetInferencer.__init__).parameters)
    assert ours[: len(theirs)] == theirs
    given = [*weights, None, None, 'cpu', 'mmpose', 'whole_image']
    (result,) = REDNetInferencer(*given)(noise())
    assert len(result['predictions'][0]) == 1
    with pytest.raises(UserError, match='^pose3d is for 3D poses'):
        REDNetInferencer(*weights, 'motionbert')


def test_mmposes_functions(weights, tmp_path):
    model = init_model(Path(weights[0]), weights[1], device='cpu')
    boxes = [[x, y, right - x, low - y] for x, y, right, low in BOXES]
    results = inference_topdown(model, noise(), boxes, bbox_format='xywh')
    assert len(results) == 2
    cv2.imwrite(str(tmp_path / 'still.png'), noise())
    for image in (noise(), str(tmp_path / 'still.png')):
        (sample,) = inference_topdown(model, image)
        assert isinstance(sample, PoseDataSample)
        assert sample.pred_instances.keypoints.shape == (1, 68, 2)
    with pytest.raises(TypeError, match='config must be a filename or Config'):
        init_model([weights[0]])


def test_paths_will_do_for_names(weights, tmp_path):
    path = tmp_path / 'still.png'
    cv2.imwrite(str(path), noise())
    inferencer = REDNetInferencer(
        *map(Path, weights), device='cpu', det_model='whole_image'
    )
    (result,) = inferencer(path, out_dir=tmp_path / 'out')
    (same,) = inferencer(str(path))
    assert result['predictions'] == same['predictions']
    assert json.loads((tmp_path / 'out/predictions/still.json').read_text())


def test_samples_are_those_of_mmpose(inferencer, peer):
    (own,), (theirs,) = (
        each(noise(), return_datasamples=True, draw_heatmap=True)
        for each in (inferencer, peer)
    )
    (sample,), (other,) = own['predictions'], theirs['predictions']
    assert isinstance(sample, PoseDataSample)
    assert set(other.pred_instances.keys()) | {'track_ids'} == set(
        sample.pred_instances.keys()
    )
    for key in ('keypoints', 'keypoint_scores', 'keypoints_visible', 'bboxes'):
        value, wanted = sample.pred_instances[key], other.pred_instances[key]
        assert value.dtype == wanted.dtype
        np.testing.assert_allclose(value, wanted, atol=1e-3)
    np.testing.assert_array_equal(
        sample.gt_instances.bboxes, other.gt_instances.bboxes
    )
    np.testing.assert_allclose(
        sample.pred_fields.heatmaps, other.pred_fields.heatmaps, atol=1e-4
    )
    # What the data preprocessor of a batch adds says nothing of the frame.
    batch = {'batch_input_shape', 'pad_shape'}
    assert set(other.metainfo) - batch == set(sample.metainfo)
    for key in set(other.metainfo) - batch:
        np.testing.assert_array_equal(
            sample.metainfo[key], other.metainfo[key], key
        )
    # MMPose's older name for the argument.
    (old,) = inferencer(noise(), return_datasample=True)
    assert isinstance(old['predictions'][0], PoseDataSample)


def test_no_face_has_mmposes_types(weights):
    blind = REDNetInferencer(*weights, device='cpu', min_score=2)
    (result,) = blind(noise(), return_datasamples=True, draw_heatmap=True)
    (sample,) = result['predictions']
    assert sample.pred_instances.keypoints.shape == (0, 68, 2)
    assert sample.pred_instances.keypoints.dtype == np.float32
    assert sample.pred_fields.heatmaps.shape == (68, 80, 96)


def test_heatmaps_are_drawn_where_they_are_asked_for(inferencer, peer):
    drawn, theirs = (
        next(each(noise(), draw_heatmap=True, return_vis=True))
        for each in (inferencer, peer)
    )
    drawn, theirs = drawn['visualization'][0], theirs['visualization'][0]
    assert drawn.shape == theirs.shape == (160, 96, 3)
    # Places that differ by 1e-3 px may round to the next pixel.
    assert (drawn == theirs).mean() > 0.99
    (plain,) = inferencer(noise(), return_vis=True)
    assert plain['visualization'][0].shape == (80, 96, 3)


def test_results_are_json(inferencer):
    (result,) = inferencer(noise())
    (face,) = json.loads(json.dumps(result))['predictions'][0]
    assert face['keypoints'] == result['predictions'][0][0]['keypoints']


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_float_images(inferencer, dtype):
    (result,) = inferencer(noise().astype(dtype), return_vis=True)
    (same,) = inferencer(noise(), return_vis=True)
    assert result['predictions'] == same['predictions']
    np.testing.assert_array_equal(
        result['visualization'], same['visualization']
    )


def test_generators_of_images_and_of_names(inferencer, tmp_path):
    path = tmp_path / 'still.png'
    cv2.imwrite(str(path), noise(1))
    wanted = list(inferencer([noise(0), noise(1)]))
    mixed = (each for each in [noise(0), path])
    found = list(inferencer(mixed, out_dir=str(tmp_path)))
    assert [each['predictions'] for each in found] == [
        each['predictions'] for each in wanted
    ]
    assert sorted(
        each.name for each in (tmp_path / 'predictions').iterdir()
    ) == ['000000.json', 'still.json']


def test_each_box_of_a_still_gives_one_result(weights):
    strict = REDNetInferencer(*weights, device='cpu', min_score=2)
    # The last lies outside of the image.
    boxes = [*BOXES, BOXES[0], [200, 200, 240, 240]]
    (result,) = strict(noise(), bboxes=[boxes])
    assert [each['bbox'][0] for each in result['predictions'][0]] == boxes
    # In a video a face whose scores are so low is lost.
    (frame,) = strict([noise()], bboxes=[boxes], sequence=True)
    assert frame['predictions'] == [[]]


@pytest.mark.parametrize(
    'boxes', [[[BOXES[0], [1, 2]]], [[[3, 4]]], [['face']], [[[5, 5, 5, 9]]]]
)
def test_what_is_no_box_is_said(inferencer, boxes):
    with pytest.raises(UserError, match='^b(ox|box)es '):
        list(inferencer(noise(), bboxes=boxes))


# -- calls do not touch -----------------------------------------------------


def test_two_calls_at_once_on_one_inferencer(inferencer, tmp_path):
    one = write_video(tmp_path / 'one.mp4', 3)
    two = write_video(tmp_path / 'two.mp4', 5, size=(64, 64), seed=7)
    alone = [list(inferencer(each)) for each in (one, two)]
    calls = [
        inferencer(each, out_dir=str(tmp_path / 'out')) for each in (one, two)
    ]
    turns = [[next(calls[1])], []]
    for first, second in zip(*calls):
        turns[1].append(first)
        turns[0].append(second)
    turns[0] += list(calls[1])
    for number, name in enumerate(['one', 'two']):
        wanted = [each['predictions'][0] for each in alone[number]]
        found = [each['predictions'][0] for each in turns[1 - number]]
        assert found == wanted
        path = tmp_path / f'out/predictions/{name}.json'
        assert saved_frames(path) == json.loads(json.dumps(wanted))
        with read_frames(tmp_path / f'out/visualizations/{name}.mp4') as video:
            shapes = [frame.image.shape[:2] for frame in video]
        assert shapes == [(80, 96), (64, 64)][number : number + 1] * len(found)


def test_a_call_given_up_leaves_the_others_alone(inferencer, video, tmp_path):
    given_up = inferencer(video, out_dir=str(tmp_path / 'given up'))
    next(given_up)
    other = inferencer(video, out_dir=str(tmp_path / 'other'))
    next(other)
    del given_up
    list(other)
    for name, number in (('given up', 1), ('other', 4)):
        path = tmp_path / name / 'predictions/video.json'
        assert len(saved_frames(path)) == number
        files = sorted(each.name for each in (tmp_path / name).rglob('*.*'))
        assert files == ['video.json', 'video.mp4']


def test_settings_are_those_of_the_call(inferencer):
    first = inferencer([noise(), noise(1)], draw_heatmap=True, return_vis=True)
    next(first)
    list(inferencer(noise(), return_vis=True, radius=1, thickness=3))
    assert next(first)['visualization'][0].shape == (160, 96, 3)


FAILING = {
    'missing': (dict(inputs='missing.mp4'), FileNotFoundError, 'missing'),
    'missing image': (dict(inputs='no.jpg'), FileNotFoundError, 'no.jpg'),
    'keyword': (dict(colour='red'), ValueError, 'colour'),
    'boxes': (dict(bboxes=[['a face']]), UserError, 'a face'),
    'no video': (dict(inputs='video/video.mp4'), UserError, 'video.mp4'),
    'no camera': (dict(inputs='webcam:x'), FileNotFoundError, 'webcam:x'),
    'no window': (dict(show=True), UserError, 'display'),
}


@pytest.mark.parametrize('kind', FAILING)
def test_a_failing_call_leaves_files_alone(
    inferencer, video, tmp_path, monkeypatch, kind
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    (tmp_path / 'video').mkdir()
    (tmp_path / 'video/video.mp4').write_bytes(b'no video')
    kwargs, error, word = FAILING[kind]
    kwargs = {'inputs': video, 'out_dir': 'out', **kwargs}
    # On an inferencer that has not been called yet,
    fresh = REDNetInferencer.__new__(REDNetInferencer)
    fresh.__dict__.update(inferencer.__dict__)
    with pytest.raises(error, match=word):
        list(fresh(**kwargs))
    assert not (tmp_path / 'out').exists()
    # and after a good call.
    list(inferencer(video, out_dir='out'))
    files = sorted((tmp_path / 'out').rglob('*.*'))
    before = [each.read_bytes() for each in files]
    with pytest.raises(error, match=word):
        list(inferencer(**kwargs))
    assert sorted((tmp_path / 'out').rglob('*.*')) == files
    assert [each.read_bytes() for each in files] == before


def test_an_output_replaces_no_input(inferencer, video, tmp_path):
    image = tmp_path / 'still.png'
    cv2.imwrite(str(image), noise())
    for path in (image, Path(video)):
        before = path.read_bytes()
        with pytest.raises(UserError, match='is the input itself'):
            list(inferencer(path, vis_out_dir=str(tmp_path)))
        assert path.read_bytes() == before


def test_an_output_replaces_no_other(inferencer, tmp_path):
    paths = [tmp_path / name / 'still.png' for name in 'ab']
    for number, path in enumerate(paths):
        path.parent.mkdir()
        cv2.imwrite(str(path), noise(number))
    out = str(tmp_path / 'out')
    with pytest.raises(UserError, match='give images of different names'):
        list(inferencer(paths, out_dir=out))
    # Images without a name of their own have the same in every call.
    for _ in range(2):
        assert len(list(inferencer(noise(), out_dir=out))) == 1


# -- the inputs of track_video ----------------------------------------------


def test_a_folder_is_read_as_by_read_frames(inferencer, tmp_path, monkeypatch):
    folder = tmp_path / 'frames'
    folder.mkdir()
    names = ['b1.png', 'b2.webp', 'b10.tif', 'c.JPG']
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), noise(number))
    for name in ('.hidden.jpg', 'notes.txt', 'video.mp4', 'z.gif'):
        (folder / name).write_text('no image')
    warnings = said(monkeypatch)
    found = list(inferencer(folder, return_datasamples=True))
    assert [
        Path(each['predictions'][0].metainfo['img_path']).name
        for each in found
    ] == names
    reader = read_frames(folder)
    assert warnings == [reader.left_out]
    assert reader.left_out == (
        f'{folder}: left out, as they are no images by their names: '
        '.hidden.jpg, notes.txt, video.mp4 and 1 more'
    )
    assert len(list(reader)) == 4


@pytest.mark.parametrize('suffix', ['', '.ts', '.3gp', '.m2ts', '.xyz'])
def test_a_video_by_any_name(inferencer, tmp_path, suffix):
    path = write_video(tmp_path / f'own{suffix}', 3)
    found = list(inferencer(path, pred_out_dir=str(tmp_path)))
    assert [len(each['predictions'][0]) for each in found] == [1] * 3
    assert len(saved_frames(tmp_path / 'own.json')) == 3


def test_an_animation_is_a_video(inferencer, tmp_path):
    image = pytest.importorskip('PIL.Image')
    frames = [image.new('RGB', (96, 80), (90 * n, 9, 9)) for n in range(3)]
    frames[0].save(tmp_path / 'a.gif', save_all=True, append_images=frames[1:])
    ids = [
        result['predictions'][0][0]['track_id']
        for result in inferencer(tmp_path / 'a.gif')
    ]
    assert ids == [0, 0, 0]


def test_an_image_without_a_suffix(inferencer, tmp_path):
    cv2.imwrite(str(tmp_path / 'still.png'), noise())
    shutil.move(tmp_path / 'still.png', tmp_path / 'still')
    (result,) = inferencer(tmp_path / 'still')
    (same,) = inferencer(noise())
    assert result['predictions'] == same['predictions']
    (frame,) = read_frames(tmp_path / 'still')
    np.testing.assert_array_equal(frame.image, noise())


def test_a_change_of_size(inferencer, tmp_path):
    parts = []
    for number, (width, height) in enumerate([(96, 80), (64, 64)]):
        path = tmp_path / f'{number}.mpg'
        with av.open(str(path), 'w', format='mpeg') as container:
            stream = container.add_stream('mpeg2video', rate=25)
            stream.width, stream.height = width, height
            stream.pix_fmt = 'yuv420p'
            for frame in range(3):
                image = noise(frame, (height, width))
                image = av.VideoFrame.from_ndarray(image, format='bgr24')
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    # Program streams may be put one behind the other.
    path = tmp_path / 'both.mpg'
    path.write_bytes(b''.join(parts))
    shapes = [frame.image.shape[:2] for frame in read_frames(path)]
    assert set(shapes) == {(80, 96), (64, 64)}
    found = list(inferencer(path, out_dir=str(tmp_path)))
    assert len(found) == len(shapes)
    drawn = list(read_frames(tmp_path / 'visualizations/both.mp4'))
    assert [frame.image.shape[:2] for frame in drawn] == [(80, 96)] * len(
        shapes
    )


def test_a_variable_rate_is_kept(inferencer, tmp_path):
    times = [0, 0.04, 0.2, 0.24, 0.5]
    writer = VideoWriter(str(tmp_path / 'vfr.mp4'), 25)
    for time in times:
        writer.write(noise(), time)
    writer.close()
    list(inferencer(tmp_path / 'vfr.mp4', vis_out_dir=tmp_path / 'out'))
    drawn = read_frames(tmp_path / 'out/vfr.mp4')
    # To the video's clock, 1/90000 s.
    np.testing.assert_allclose(
        [frame.time for frame in drawn], times, atol=2 / 90000
    )


class Camera:
    """Gives two frames."""

    def __init__(self, number: int) -> None:
        assert number == 1
        self.left = 2

    def isOpened(self) -> bool:
        return True

    def set(self, *_: object) -> None:
        pass

    def get(self, _: int) -> float:
        return 25.0

    def read(self):
        self.left -= 1
        return self.left >= 0, noise()

    def release(self) -> None:
        pass


def test_a_camera_by_either_name(inferencer, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    found = list(inferencer('1', out_dir=str(tmp_path)))
    assert [each['predictions'][0][0]['track_id'] for each in found] == [0, 0]
    assert len(saved_frames(tmp_path / 'predictions/webcam.json')) == 2
    shown = []
    monkeypatch.setenv('DISPLAY', ':0')
    monkeypatch.setattr(
        type(inferencer.visualizer),
        'show',
        lambda *_, **__: shown.append(1),
    )
    assert len(list(inferencer('webcam:1'))) == len(shown) == 2
