"""Annotation files from elsewhere: refused by a sentence, led nowhere."""

from __future__ import annotations

import json

import pytest
from builders import crop_pipeline, write_stills, write_videos

from rednet_mm.datasets.face import Still300WDataset, VideoClipDataset
from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.datasets.transforms.load_video_frame import (
    VideoFrames,
    split_frame_path,
)
from rednet_mm.utils.errors import UserError


def still(root):
    write_stills(root / 'annotations/all.json', images=1)
    return Still300WDataset


def clips(root):
    write_videos(root.parent, 1, 2)
    return VideoClipDataset


@pytest.fixture(params=[still, clips])
def data(request, tmp_path):
    """A data set's class and its file, in ``tmp_path/data``."""
    kind = request.param(tmp_path / 'data')
    return kind, tmp_path / 'data/annotations/all.json'


def built(kind, path):
    return kind(
        ann_file=f'annotations/{path.name}',
        data_root=str(path.parents[1]),
        metainfo=FACE_68,
        pipeline=crop_pipeline(32),
        test_mode=True,
    )


def refused(kind, path) -> str:
    with pytest.raises(UserError) as caught:
        built(kind, path)
    sentence = str(caught.value)
    assert '\n' not in sentence and len(sentence) < 1000
    return sentence


def change(path, section, **fields):
    content = json.loads(path.read_text())
    content[section][0].update(fields)
    path.write_text(json.dumps(content))


def test_as_the_converters_write_it(data):
    kind, path = data
    assert len(built(kind, path)) and built(kind, path)[0]


@pytest.mark.parametrize(
    'name',
    [
        '../outside.jpg',
        'images/../../outside.jpg',
        '/etc/passwd',
        'http://127.0.0.1:9/a.jpg',
        's3://a/b.jpg',
        'a\0b.jpg',
    ],
)
def test_image_out_of_the_folder(data, name):
    kind, path = data
    change(path, 'images', file_name=name)
    assert "which is no path in the data set's folder" in refused(kind, path)


@pytest.mark.parametrize(
    'fields, says',
    [
        (dict(keypoints=[float('nan')] * 204), 'not finite'),
        (dict(center=[1e400, 0]), 'not finite'),
        (dict(center=[9]), 'is no point'),
        (dict(scale=[1, 2, 3]), 'is not an annotation file'),
        (
            dict(keypoints=[1.0] * 21),
            '7 keypoints where the pipeline takes 68',
        ),
        (dict(keypoints=[10**400] * 204), 'is not an annotation file'),
        (dict(scale='x'), 'is not an annotation file'),
        (dict(image_id=[1]), 'is not an annotation file'),
        (dict(num_keypoints=0), 'holds no faces that can be used'),
    ],
)
def test_face_of_another_form(data, fields, says):
    kind, path = data
    content = json.loads(path.read_text())
    for face in content['annotations']:
        face.update(fields)
    path.write_text(json.dumps(content))
    assert says in refused(kind, path)


@pytest.mark.parametrize('content', ['[' * 100_000, '[]', '{', '', '"x"'])
def test_no_such_file(data, content):
    kind, path = data
    path.write_text(content)
    assert 'is not an annotation file' in refused(kind, path)


def test_video_that_is_a_list_of_videos(tmp_path):
    path = tmp_path / 'a.avi'
    path.write_bytes(b'#EXTM3U\n#EXTINF:9,\n../b.avi\n')
    with pytest.raises(UserError, match='cannot be opened as a video'):
        VideoFrames(str(path))


def test_frame_number_of_thousands_of_digits():
    assert split_frame_path('a.avi#' + '9' * 5000) is None
